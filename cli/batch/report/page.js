"use strict";
// A player per pair: speed, single frames, and a line in the pair's plots that follows.
const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
for (const figure of document.querySelectorAll(".player")) {
  const video = figure.querySelector("video");
  const section = figure.closest("section");
  const clock = figure.querySelector(".clock");
  const lines = [...section.querySelectorAll(".now")];
  const start = Number(figure.dataset.start), fps = Number(figure.dataset.fps);
  const play = figure.querySelector("[data-play]"), seek = figure.querySelector(".seek");
  const speeds = [...figure.querySelectorAll("[data-speed]")];
  const follow = () => {
    const now = start + video.currentTime;
    clock.value = now.toFixed(3) + " s";
    if (video.duration) seek.value = 1000 * video.currentTime / video.duration;
    for (const line of lines) {
      const from = Number(line.dataset.from), to = Number(line.dataset.to);
      const x = 46 + (now - from) / (to - from) * (380 - 92);
      line.setAttribute("x1", x); line.setAttribute("x2", x);
    }
  };
  const tick = () => { follow(); if (!video.paused) requestAnimationFrame(tick); };
  video.controls = false;
  figure.classList.add("ready");
  const toggle = () => (video.paused ? video.play() : video.pause());
  play.addEventListener("click", toggle);
  video.addEventListener("click", toggle);
  video.addEventListener("pause", () => { play.textContent = "play"; });
  seek.addEventListener("input", () => { video.pause(); video.currentTime = seek.value / 1000 * video.duration; });
  const pace = (speed) => {
    video.defaultPlaybackRate = video.playbackRate = speed;
    for (const button of speeds) button.setAttribute("aria-pressed", Number(button.dataset.speed) === speed);
  };
  video.addEventListener("play", () => { play.textContent = "pause"; section.classList.add("playing"); tick(); });
  video.addEventListener("seeked", () => { section.classList.add("playing"); follow(); });
  for (const button of speeds) {
    button.addEventListener("click", () => { pace(Number(button.dataset.speed)); video.play(); });
  }
  for (const button of figure.querySelectorAll("[data-step]")) {
    button.addEventListener("click", () => {
      video.pause();
      const frame = Math.round(video.currentTime * fps - 0.5) + Number(button.dataset.step);
      const last = Math.max(0, Math.round(video.duration * fps) - 1);
      video.currentTime = (Math.min(Math.max(frame, 0), last) + 0.5) / fps;
    });
  }
  pace(1);
  if (!still && "IntersectionObserver" in window) {
    let started = false;
    new IntersectionObserver((entries) => {
      const seen = entries.some((entry) => entry.isIntersecting);
      if (seen && !started) { started = true; video.play().catch(() => {}); }
      else if (!seen && started) { started = false; video.pause(); }
    }, { threshold: 0.4 }).observe(video);
  }
}
addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll(".pair details")) details.open = true;
});
