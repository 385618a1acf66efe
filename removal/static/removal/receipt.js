/* The receipt's two buttons that need a script. The code stays on this page. */
(() => {
  "use strict";
  const copy = document.getElementById("copy");
  const print = document.getElementById("print");
  const code = document.getElementById("receipt");
  if (print) {
    print.hidden = false;
    print.addEventListener("click", () => window.print());
  }
  if (copy && code && navigator.clipboard) {
    copy.hidden = false;
    copy.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(code.textContent.trim());
        copy.textContent = copy.dataset.done;
      } catch {
        getSelection().selectAllChildren(code); // the clipboard is refused: one key copies it now
      }
    });
  }
})();
