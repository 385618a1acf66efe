"use strict";
// A frame whose picture may come at any moment looks again, unless somebody is at a control of it;
// nothing that was revealed is in it.
if (document.querySelector("[data-waiting]")) {
  setInterval(() => {
    if (document.activeElement === document.body) window.location.replace(window.location.href);
  }, 2000);
}
// In a frame of pictures: keys that are not for the frame itself go to the page around it.
if (window.parent !== window) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.key === "Tab") return;
    if (event.key === " " && event.target.closest("button, a, input")) return;
    if (event.target.matches("input") && event.key.startsWith("Arrow")) return;
    const copy = new KeyboardEvent("keydown", { key: event.key, bubbles: true, cancelable: true });
    if (!window.parent.document.dispatchEvent(copy)) event.preventDefault();
  });
}
