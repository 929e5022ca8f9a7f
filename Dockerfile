FROM python:3.12-slim AS build
WORKDIR /src
COPY . .
RUN pip wheel --no-cache-dir --wheel-dir /wheels .

FROM python:3.12-slim
RUN useradd --create-home chap
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir --no-index --find-links /wheels chap-kg && rm -r /wheels
USER chap
WORKDIR /home/chap
ENV KG_RELEASES_DIR=/home/chap/releases
RUN kg build
EXPOSE 8000
HEALTHCHECK CMD python -c "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/health/ready')"
CMD ["kg", "serve", "--host", "0.0.0.0", "--port", "8000"]
