"""What validation stands on: two SHACL engines behind one function each, what they find, and the shapes, checked."""
