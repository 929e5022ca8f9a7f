// Shows the result of the query as a table. Without this script the form sends the query and the browser shows the text.
const shown = 500;
const form = document.getElementById("editor");
const output = document.getElementById("result");
const prefixes = [["https://w3id.org/chap/id/", ""], ["https://w3id.org/chap/def#", "chap:"], ["https://w3id.org/chap/scheme/", ""]];

function cell(term) {
  const td = document.createElement("td");
  if (!term) return td;
  if (term.type === "uri") {
    const link = document.createElement("a");
    const known = prefixes.find(([start]) => term.value.startsWith(start));
    link.textContent = known ? known[1] + term.value.slice(known[0].length) : term.value;
    link.href = term.value.startsWith("https://w3id.org/chap/id/") ? "/doc/" + term.value.slice(25).split("#")[0] : term.value;
    if (/^https?:/.test(term.value)) td.append(link); else td.append(term.value);
  } else {
    td.append(term.value);
    if (term["xml:lang"]) {
      const language = document.createElement("span");
      language.className = "soft";
      language.textContent = " " + term["xml:lang"];
      td.append(language);
    }
  }
  return td;
}

function say(text, tag = "p", className = "soft") {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  output.append(element);
  return element;
}

async function run() {
  const query = document.getElementById("query").value;
  if (!query.trim()) return;
  output.replaceChildren();
  say("…");
  const response = await fetch("/sparql", {
    method: "POST",
    headers: { "Content-Type": "application/sparql-query", Accept: "application/sparql-results+json, text/turtle;q=0.9, */*;q=0.1" },
    body: query,
  });
  const type = response.headers.get("Content-Type") || "";
  output.replaceChildren();
  if (!response.ok) {
    say((await response.json()).detail, "p", "conflict");
  } else if (type.includes("sparql-results+json")) {
    const result = await response.json();
    if ("boolean" in result) return void say(String(result.boolean));
    const rows = result.results.bindings;
    say((rows.length > shown ? output.dataset.first : output.dataset.rows).replace("{count}", rows.length).replace("{shown}", shown));
    const table = document.createElement("table");
    table.className = "list";
    const head = table.createTHead().insertRow();
    for (const name of result.head.vars) {
      const th = document.createElement("th");
      th.textContent = name;
      head.append(th);
    }
    const body = table.createTBody();
    for (const row of rows.slice(0, shown)) body.insertRow().append(...result.head.vars.map((name) => cell(row[name])));
    const scroll = say("", "div", "scroll");
    scroll.append(table);
  } else {
    say(await response.text(), "pre", "");
  }
}

form.addEventListener("submit", (event) => {
  if (document.getElementById("format").value !== "html") return;
  event.preventDefault();
  history.replaceState(null, "", "?query=" + encodeURIComponent(document.getElementById("query").value));
  run();
});
run();
