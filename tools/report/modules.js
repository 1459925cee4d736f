// The modules of Vega find each other here: its files are UMD, which asks for a function define().
"use strict";
const inoculaModules = new Map();
function inoculaDefine(name) {
  const define = function (needs, factory) {
    const exports = {};
    inoculaModules.set(name, exports);
    factory(...needs.map((n) => (n === "exports" ? exports : inoculaModules.get(n))));
  };
  define.amd = true;
  return define;
}
