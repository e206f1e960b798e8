"use strict";
// Plays one clip: the picture, a sound of its own beside it where there is one, and controls below both.
const picture = document.getElementById("picture");
const sound = document.getElementById("sound");
const seek = document.getElementById("seek");
const playButton = document.getElementById("play");
const muteButton = document.getElementById("mute");
const SMALL = 240; // pixels: a clip that is smaller is enlarged with sharp edges

// Some browsers play no video from a data address, so each clip becomes a file in memory, once.
const played = new Map();
function address(embedded) {
  if (!played.has(embedded)) {
    const [head, body] = embedded.split(",");
    const bytes = Uint8Array.from(atob(body), (character) => character.charCodeAt(0));
    played.set(embedded, URL.createObjectURL(new Blob([bytes], { type: head.slice("data:".length, head.indexOf(";")) })));
  }
  return played.get(embedded);
}

function showClip(clip, name) {
  picture.src = address(clip.picture);
  picture.setAttribute("aria-label", name);
  if (clip.sound) sound.src = address(clip.sound);
  else sound.removeAttribute("src");
  sound.load();
  picture.hidden = false;
  document.getElementById("sound-only").hidden = true;
  showTime();
}

function togglePlay() {
  if (picture.paused) picture.play();
  else picture.pause();
}

function seconds(value) {
  return Number.isFinite(value) ? value.toFixed(1) : "–";
}

function showTime() {
  const length = Number.isFinite(picture.duration) ? picture.duration : 0;
  seek.max = length || 1;
  seek.value = picture.currentTime;
  seek.setAttribute("aria-valuetext", `${seconds(picture.currentTime)} of ${seconds(length)} seconds`);
  document.getElementById("time").textContent = `${seconds(picture.currentTime)} / ${seconds(length)} s`;
  playButton.textContent = picture.paused ? "Play" : "Pause";
}

function withSound(action) {
  if (sound.hasAttribute("src")) action();
}

picture.addEventListener("loadedmetadata", () => {
  picture.classList.toggle("small", picture.videoWidth > 0 && picture.videoWidth < SMALL);
  picture.hidden = picture.videoWidth === 0;
  document.getElementById("sound-only").hidden = picture.videoWidth > 0;
  showTime();
});
for (const event of ["timeupdate", "play", "pause", "ended", "seeked", "durationchange"]) picture.addEventListener(event, showTime);
picture.addEventListener("play", () => withSound(() => {
  sound.currentTime = picture.currentTime;
  sound.play();
}));
picture.addEventListener("pause", () => withSound(() => sound.pause()));
picture.addEventListener("seeked", () => withSound(() => { sound.currentTime = picture.currentTime; }));
picture.addEventListener("error", () => {
  if (picture.hasAttribute("src")) tell("This clip cannot be played in this browser. Please tell the person who gave you this page.");
});
picture.addEventListener("click", togglePlay);
playButton.addEventListener("click", togglePlay);
seek.addEventListener("input", () => { picture.currentTime = Number(seek.value); });
muteButton.addEventListener("click", () => {
  picture.muted = sound.muted = !picture.muted;
  muteButton.setAttribute("aria-pressed", String(picture.muted));
  muteButton.textContent = picture.muted ? "Muted" : "Mute";
});
