"use strict";
// The seconds until a proposal takes effect. Without this script the page says them once, with a
// link to load it again.
for (const bar of document.querySelectorAll("[data-countdown]")) {
  const told = bar.querySelector("[data-seconds]");
  const ends = Date.now() + 1000 * Number(told.textContent);
  const timer = setInterval(() => {
    const left = Math.max(0, Math.ceil((ends - Date.now()) / 1000));
    told.textContent = String(left);
    if (left) return;
    clearInterval(timer);
    if ("reload" in bar.dataset) setTimeout(() => location.assign(location.pathname), 600);
    else bar.remove();
  }, 250);
}
