/* The request form, made easier. Everything here works without it, too.
   Photos are shown from the device's own memory and leave it only when the form is sent, without
   their file names. The proof of work is ALTCHA's, in workers of our own; nothing is measured
   about the person. Nothing is fetched from elsewhere. */
(() => {
  "use strict";
  const form = document.getElementById("asking");
  const input = document.getElementById("id_photos");
  if (!form || !input) return;
  const words = document.getElementById("words").dataset;
  const previews = document.getElementById("previews");
  const said = document.getElementById("photos-said");
  const sendSaid = document.getElementById("send-said");
  const button = form.querySelector("button[type=submit]");
  const most = Number(input.dataset.most);
  const bytes = Number(input.dataset.bytes);
  let chosen = [];
  let work = null;

  const say = (sentence, values) =>
    Object.entries(values).reduce(
      (text, [name, value]) => text.replace(new RegExp(`%\\(${name}\\)[ds]`, "g"), value), sentence);
  const megabytes = (file) =>
    Math.max(0.1, file.size / 1048576).toLocaleString(document.documentElement.lang, { maximumFractionDigits: 1 });
  const same = (one, other) =>
    one.name === other.name && one.size === other.size && one.lastModified === other.lastModified;

  /* --- photos ------------------------------------------------------------------------------ */

  function add(files) {
    const faults = new Set();
    for (const file of files) {
      if (file.type && !file.type.startsWith("image/")) faults.add(words.other);
      else if (file.size > bytes) faults.add(say(words.large, { n: bytes / 1048576 }));
      else if (chosen.some((one) => same(one.file, file))) continue;
      else if (chosen.length >= most) faults.add(say(words.many, { n: most }));
      else chosen.push({ file, address: URL.createObjectURL(file) });
    }
    show();
    said.textContent = [say(words.chosen, { n: chosen.length }), ...faults].join(" ");
    begin();
  }

  function remove(place) {
    URL.revokeObjectURL(chosen[place].address);
    chosen.splice(place, 1);
    show();
    said.textContent = say(words.chosen, { n: chosen.length });
    const buttons = previews.querySelectorAll("button");
    (buttons[Math.min(place, buttons.length - 1)] || input).focus();
  }

  function show() {
    const transfer = new DataTransfer();
    for (const { file } of chosen) transfer.items.add(new File([file], "photo", { type: file.type }));
    input.files = transfer.files;
    previews.replaceChildren(...chosen.map(preview));
    previews.hidden = !chosen.length;
  }

  function preview({ file, address }, place) {
    const item = document.createElement("li");
    const image = document.createElement("img");
    image.alt = say(words.photo, { n: place + 1, size: megabytes(file) });
    image.addEventListener("error", () => {
      const text = document.createElement("span");
      text.textContent = `${image.alt}. ${words.shown}`;
      image.replaceWith(text);
    });
    image.src = address;
    const away = document.createElement("button");
    away.type = "button";
    away.textContent = say(words.remove, { n: place + 1 });
    away.addEventListener("click", () => remove(place));
    item.append(image, away);
    return item;
  }

  function camera() {
    const shutter = document.createElement("input");
    shutter.type = "file";
    shutter.accept = "image/*";
    shutter.setAttribute("capture", "environment");
    shutter.addEventListener("change", () => add(shutter.files));
    shutter.click();
  }

  function photosReady() {
    const drop = document.getElementById("drop");
    for (const hint of form.querySelectorAll(".scripted")) hint.hidden = false;
    input.addEventListener("change", () => add([...input.files]));
    document.addEventListener("paste", (event) => {
      const files = event.clipboardData ? [...event.clipboardData.files] : [];
      if (!files.length) return;
      event.preventDefault();
      add(files);
    });
    document.addEventListener("dragover", (event) => {
      if (![...event.dataTransfer.types].includes("Files")) return;
      event.preventDefault(); // else a photo dropped beside the field would replace the page
      drop.classList.add("over");
    });
    document.addEventListener("dragleave", () => drop.classList.remove("over"));
    document.addEventListener("drop", (event) => {
      drop.classList.remove("over");
      const files = event.dataTransfer ? [...event.dataTransfer.files] : [];
      if (!files.length) return;
      event.preventDefault();
      add(files);
    });
    if (matchMedia("(pointer: coarse)").matches) {
      const opener = document.getElementById("camera");
      opener.hidden = false;
      opener.addEventListener("click", camera);
    }
    if (input.files.length) add([...input.files]); // a reload may have kept them
  }

  /* --- proof of work ----------------------------------------------------------------------- */

  /* Begins when the person does: most have it done before they press the button. Where it cannot
     be done the form is sent with its ticket, as without a script. */
  function begin() {
    if (!form.dataset.challenge || work) return;
    work = solved().catch(() => null);
  }

  async function solved() {
    if (!window.isSecureContext || !window.Worker) return null;
    await widgetLoaded();
    globalThis.$altcha.algorithms.set("PBKDF2/SHA-256", () => new Worker(form.dataset.worker));
    const widget = document.createElement("altcha-widget");
    widget.hidden = true;
    document.body.append(widget);
    await new Promise((ready) => setTimeout(ready));
    widget.configure({
      auto: "off",
      challenge: form.dataset.challenge,
      display: "standard",
      humanInteractionSignature: false,
      minDuration: 0,
      timeout: 900000,
      workers: Math.min(4, navigator.hardwareConcurrency || 2),
    });
    widget.addEventListener("expired", () => { work = null; });
    const result = await widget.verify();
    return result ? result.payload : null;
  }

  function widgetLoaded() {
    if (customElements.get("altcha-widget")) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.type = "module";
      script.src = form.dataset.altcha;
      script.addEventListener("load", resolve);
      script.addEventListener("error", reject);
      document.head.append(script);
    });
  }

  /* --- sending ----------------------------------------------------------------------------- */

  async function send(event) {
    if (form.dataset.sent) return event.preventDefault();
    if (!input.files.length && !form.elements.urls.value.trim()) {
      event.preventDefault();
      said.textContent = words.nothing;
      return input.focus();
    }
    begin();
    form.dataset.sent = "yes";
    button.setAttribute("aria-disabled", "true");
    if (work) {
      event.preventDefault();
      sendSaid.textContent = words.work;
      payloadField().value = (await work) || "";
      sendSaid.textContent = words.sending;
      return form.submit();
    }
    sendSaid.textContent = words.sending;
  }

  function payloadField() {
    const field = form.querySelector("input[name=altcha]") || document.createElement("input");
    field.type = "hidden";
    field.name = "altcha";
    form.append(field);
    return field;
  }

  if (window.DataTransfer && window.URL) photosReady();
  if (form.dataset.challenge && window.isSecureContext)
    for (const hint of form.querySelectorAll(".unscripted")) hint.hidden = true;
  form.addEventListener("input", begin, { once: true });
  form.addEventListener("submit", send);
  window.addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    delete form.dataset.sent;
    button.removeAttribute("aria-disabled");
    sendSaid.textContent = "";
    work = null;
  });
})();
