// Brings the laboratories of a page to life: <div class="lab" data-lab="NAME">.
//
// Written in the JavaScript of 2011, so that any browser can read it. The other files are loaded
// only where they can run; where not, a sentence says so beside the picture that stands there.
var lab = { pages: {} };

(function () {
  "use strict";
  var base = document.currentScript.src.replace(/[^/]*$/, "");
  var shared = ["pad.js", "models.js", "controls.js", "digits.js"];
  var ofPage = {
    front: ["code_plane.js", "front.js"],
    fill_in: ["fill_in.js"],
    walk: ["code_plane.js", "walk.js"],
    between: ["between.js"],
    denoise: ["denoise.js"],
    dream: ["dream.js"],
  };
  var isNewEnough = window.OffscreenCanvas && window.PointerEvent && Array.prototype.at;
  var loaded = {};

  /** A promise of a script of the laboratory, which is loaded once. */
  lab.script = function (name) {
    loaded[name] = loaded[name] || new Promise(function (resolve, reject) {
      var script = document.createElement("script");
      script.src = base + name;
      script.async = false; // in the order of the calls
      script.onload = resolve;
      script.onerror = function () { reject(new Error(name + " could not be loaded")); };
      document.head.appendChild(script);
    });
    return loaded[name];
  };

  /** Build a laboratory in the place of what stands there; the hash holds the state of a link. */
  lab.open = function (element, hash) {
    var root = document.createElement("div"), operable = "button, input, canvas[tabindex]";
    root.reopen = function (other) { return lab.open(element, other); };
    return Promise.all(shared.concat(ofPage[element.dataset.lab]).map(lab.script)).then(function () {
      element.appendChild(root);
      return lab.pages[element.dataset.lab](root, new State(hash));
    }).then(function () {
      var focused = [].indexOf.call(element.querySelectorAll(operable), document.activeElement);
      while (element.firstChild !== root) element.removeChild(element.firstChild);
      if (focused >= 0) root.querySelectorAll(operable)[focused].focus();
    });
  };

  function tell(element, sentence) {
    var line = document.createElement("p");
    line.className = "lab-trouble";
    line.textContent = sentence;
    element.appendChild(line);
  }

  /** Call when the browser has nothing else to do, or earlier if somebody reaches for the element. */
  function whenIdleOrUsed(element, call) {
    var isDue = true;
    function once() {
      if (isDue) call();
      isDue = false;
    }
    element.addEventListener("pointerenter", once);
    window.addEventListener("load", function () { (window.requestIdleCallback || setTimeout)(once); });
  }

  function begin(element) {
    if (!isNewEnough) return tell(element, "This browser is too old to run the model here.");
    function open() {
      lab.open(element, location.hash).catch(function (error) {
        tell(element, "The model does not run here: " + error.message + ".");
      });
    }
    return element.dataset.lab === "front" ? whenIdleOrUsed(element, open) : open();
  }

  document.addEventListener("DOMContentLoaded", function () {
    [].forEach.call(document.querySelectorAll(".lab[data-lab]"), begin);
  });
  window.addEventListener("hashchange", function () {
    if (location.hash.indexOf("#lab:") === 0) location.reload();
  });
})();
