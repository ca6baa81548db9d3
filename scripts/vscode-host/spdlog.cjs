/**
 * @vscode/spdlog without its native binding, which only a compiler can make: what VS Code's log files are written with, and
 * so what its Output panel shows. Takes the place of the package's index.js.
 */
"use strict";
const fs = require("node:fs");
const path = require("node:path");

const levels = ["trace", "debug", "info", "warning", "error", "critical"];
let globalLevel = 0;

class Logger {
  #file;
  #maximumBytes;
  #maximumFiles;
  #level = globalLevel;
  #pattern = "%v\n";
  #bytes = 0;

  constructor(_type, _name, file, maximumBytes, maximumFiles) {
    this.#file = file;
    this.#maximumBytes = maximumBytes;
    this.#maximumFiles = maximumFiles;
    this.#bytes = fs.statSync(file, { throwIfNoEntry: false })?.size ?? 0;
    // The Output panel waits for the file.
    fs.appendFileSync(file, "");
  }

  #write(level, message) {
    if (level < this.#level) return;
    const now = new Date();
    const two = (value) => String(value).padStart(2, "0");
    const parts = {
      Y: now.getFullYear(),
      m: two(now.getMonth() + 1),
      d: two(now.getDate()),
      H: two(now.getHours()),
      M: two(now.getMinutes()),
      S: two(now.getSeconds()),
      e: String(now.getMilliseconds()).padStart(3, "0"),
      l: levels[level],
      v: message,
    };
    const text = this.#pattern.replaceAll(/%(\w)/g, (whole, key) => parts[key] ?? whole);
    try {
      if (this.#bytes + Buffer.byteLength(text) > this.#maximumBytes) this.#rotate();
      fs.appendFileSync(this.#file, text);
      this.#bytes += Buffer.byteLength(text);
    } catch {
      // The folder of a server that ends is deleted under it.
    }
  }

  /** x.log becomes x.1.log, and so on; the oldest goes. */
  #rotate() {
    const { dir, name, ext } = path.parse(this.#file);
    const numbered = (index) => (index === 0 ? this.#file : path.join(dir, `${name}.${index}${ext}`));
    for (let index = this.#maximumFiles - 1; index > 0; index--) {
      if (fs.existsSync(numbered(index - 1))) fs.renameSync(numbered(index - 1), numbered(index));
    }
    fs.writeFileSync(this.#file, "");
    this.#bytes = 0;
  }

  trace(message) {
    this.#write(0, message);
  }
  debug(message) {
    this.#write(1, message);
  }
  info(message) {
    this.#write(2, message);
  }
  warn(message) {
    this.#write(3, message);
  }
  error(message) {
    this.#write(4, message);
  }
  critical(message) {
    this.#write(5, message);
  }
  getLevel() {
    return this.#level;
  }
  setLevel(level) {
    this.#level = level;
  }
  setPattern(pattern) {
    this.#pattern = `${pattern}\n`;
  }
  clearFormatters() {
    this.#pattern = "%v";
  }
  /** Every line is in the file when its call returns. */
  flush() {}
  drop() {}
}

async function createLogger(name, file, maximumBytes, maximumFiles) {
  await fs.promises.mkdir(path.dirname(file), { recursive: true });
  return new Logger("rotating", name, file, maximumBytes, maximumFiles);
}

exports.version = 0;
exports.setLevel = (level) => {
  globalLevel = level;
};
exports.setFlushOn = () => {};
exports.Logger = Logger;
exports.createRotatingLogger = createLogger;
exports.createAsyncRotatingLogger = createLogger;
