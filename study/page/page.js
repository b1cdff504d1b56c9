"use strict";

/* Slider between two methods: three images on top of each other, divided at --split. */
(() => {
  const data = document.getElementById("comparison");
  if (!data) return;
  const { methods, photos } = JSON.parse(data.textContent);
  const names = Object.fromEntries(methods.map((method) => [method.key, method.name]));
  const part = (name) => document.querySelector(`#compare ${name}`);
  const stage = part(".stage");
  const range = part(".stage input");
  const pickers = { left: part("#left"), right: part("#right") };
  const thumbs = [...document.querySelectorAll("#compare .thumbs button")];
  let photo = photos[0];

  const divide = () => stage.style.setProperty("--split", `${range.value}%`);

  const show = () => {
    const shown = [pickers.left.value, pickers.right.value];
    const source = (name) => `compare/${photo.id}/${name}`;
    stage.style.setProperty("--ratio", `${photo.width} / ${photo.height}`);
    for (const image of stage.querySelectorAll("img")) Object.assign(image, { width: photo.width, height: photo.height });
    part(".stage .photo").src = source("photo.jpg");
    part(".stage .photo").alt = `Test photo ${photo.id}`;
    part(".stage .left").src = source(`${shown[0]}.png`);
    part(".stage .right").src = source(`${shown[1]}.png`);
    for (const [tag, method] of [[".from", shown[0]], [".to", shown[1]]]) {
      const iou = photo.scores[method]?.iou;
      part(tag).textContent = iou ? `${names[method]} ${iou}` : names[method];
    }
    range.setAttribute("aria-label", `Divider: ${names[shown[0]]} left of it, ${names[shown[1]]} right of it`);
    part(".rule b").textContent = photo.rule;
    part(".rule small").textContent = `${photo.value}, photo ${photo.id}`;
    for (const row of document.querySelectorAll("#compare .scores tbody tr")) {
      const { iou, boundary, share } = photo.scores[row.dataset.method];
      row.querySelector(".iou").textContent = iou;
      row.querySelector(".boundary").textContent = boundary;
      row.querySelector(".bar i").style.setProperty("--iou", share);
      row.classList.toggle("shown", shown.includes(row.dataset.method));
    }
    thumbs.forEach((thumb) => thumb.setAttribute("aria-pressed", thumb.value === photo.id));
  };

  /* Pointers move the divider from anywhere on the stage; the range input takes the keys. */
  const follow = (event) => {
    const box = stage.getBoundingClientRect();
    range.value = (100 * (event.clientX - box.left)) / box.width;
    divide();
  };
  stage.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    stage.setPointerCapture(event.pointerId);
    range.focus({ focusVisible: false, preventScroll: true });
    follow(event);
  });
  stage.addEventListener("pointermove", (event) => {
    if (stage.hasPointerCapture(event.pointerId)) follow(event);
  });
  range.addEventListener("input", divide);
  for (const picker of Object.values(pickers)) picker.addEventListener("change", show);
  for (const thumb of thumbs) {
    thumb.addEventListener("click", () => {
      photo = photos.find((one) => one.id === thumb.value);
      show();
    });
  }
  /* A browser that returns to the page restores the form: show what it restored. */
  divide();
  show();
})();

/* A click on a figure opens it in a dialog; a second click switches between the window's size and its own. */
(() => {
  const dialog = document.querySelector("dialog");
  const image = dialog.querySelector("img");
  for (const link of document.querySelectorAll("figure a")) {
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      image.src = link.href;
      image.alt = link.querySelector("img").alt;
      dialog.classList.toggle("full", matchMedia("(max-width: 52rem)").matches);
      dialog.showModal();
    });
  }
  image.addEventListener("click", () => dialog.classList.toggle("full"));
  dialog.addEventListener("click", (event) => {
    if (event.target !== image) dialog.close();
  });
})();

/* Where the clipboard is refused, select the command instead. */
for (const button of document.querySelectorAll(".command button")) {
  button.addEventListener("click", async () => {
    const code = button.previousElementSibling;
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(code);
      button.textContent = "Selected";
    }
    setTimeout(() => (button.textContent = "Copy"), 1500);
  });
}
