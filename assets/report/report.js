"use strict";
(function () {
  const data = document.getElementById("frames");
  if (!data) return;
  const { pictures, step_ms } = JSON.parse(data.textContent);
  const picture = document.getElementById("cine");
  const slider = document.getElementById("phase");
  const button = document.getElementById("play");
  const shown = document.getElementById("shown");
  const decoded = pictures.map((source) => Object.assign(new Image(), { src: source }));
  let timer = null;

  function show(index) {
    picture.src = decoded[index].src;
    slider.value = index;
    shown.textContent = `phase ${index + 1} of ${pictures.length}`;
  }
  function stop() {
    clearInterval(timer);
    timer = null;
    button.textContent = "Play";
  }
  function play() {
    timer = setInterval(() => show((Number(slider.value) + 1) % pictures.length), step_ms);
    button.textContent = "Pause";
  }
  button.addEventListener("click", () => (timer === null ? play() : stop()));
  slider.addEventListener("input", () => { stop(); show(Number(slider.value)); });
  show(Number(slider.value));
  if (!matchMedia("(prefers-reduced-motion: reduce)").matches) play();
})();
