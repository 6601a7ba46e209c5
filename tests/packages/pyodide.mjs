// A few lines of Python.

import { loadPyodide } from "pyodide";

const pyodide = await loadPyodide();
const text = pyodide.runPython(`
import json, re, sys
words = re.findall(r"[a-z]+", "the quick brown fox jumps over the lazy dog the end")
counts = {word: words.count(word) for word in sorted(set(words))}
json.dumps({"python": sys.version.split()[0], "counts": counts, "power": str(3 ** 100)})
`);
console.log(text);
