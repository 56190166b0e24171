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
      script.onerror = function () {
        delete loaded[name]; // so that it can be tried again
        reject(new Error(name + " could not be loaded"));
      };
      document.head.appendChild(script);
    });
    return loaded[name];
  };

  /**
   * Build a laboratory, and put it in the place of what stands there; the hash holds the state of a
   * link. The element has the attribute data-ready except while it is being opened.
   */
  lab.open = function (element, hash) {
    var name = element.dataset.lab, root = document.createElement("div");
    var opening = (element.opening = (element.opening || 0) + 1); // only the latest one counts
    function ifLatest(call) {
      return function (value) {
        if (element.opening === opening) call(value);
      };
    }
    delete element.dataset.ready;
    root.reopen = function (other) { return lab.open(element, other); };
    return Promise.all(shared.concat(ofPage[name]).map(lab.script)).then(function () {
      return lab.pages[name](root, new State(hash));
    }).then(ifLatest(function () {
      replace(element, root);
    })).catch(ifLatest(function (error) {
      tell(element, "The model does not run here: " + error.message + ".");
    })).then(ifLatest(function () {
      element.dataset.ready = "";
    }));
  };

  /** Put a laboratory in the place of what stands there; the same control keeps the focus. */
  function replace(element, root) {
    var operable = "button, input, canvas[tabindex]";
    var focused = [].indexOf.call(element.querySelectorAll(operable), document.activeElement);
    element.replaceChildren(root);
    if (focused >= 0) root.querySelectorAll(operable)[focused].focus();
  }

  function tell(element, sentence) {
    var line = element.querySelector(".lab-trouble") || document.createElement("p");
    line.className = "lab-trouble";
    line.setAttribute("role", "alert");
    element.appendChild(line);
    line.textContent = sentence;
  }

  function begin(element) {
    if (!isNewEnough) return tell(element, "This browser is too old to run the model here.");
    function open() { lab.open(element, location.hash); }
    if (element.dataset.lab === "front") window.addEventListener("load", open); // first the rest of the page
    else open();
  }

  document.addEventListener("DOMContentLoaded", function () {
    [].forEach.call(document.querySelectorAll(".lab[data-lab]"), begin);
  });
  window.addEventListener("hashchange", function () {
    if (location.hash.indexOf("#lab:") === 0) location.reload();
  });
})();
