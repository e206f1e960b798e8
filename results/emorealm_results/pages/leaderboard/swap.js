// The four cells of a swap side by side: picture and sound each of the question's own clip or of its partner.
const OF = { o: "own", x: "partner's" };
const CELLS = ["oo", "ox", "xo", "xx"]; // the picture, then the sound

// The picture of one clip with the sound of another, started, stopped and sought together.
function crossedPlayer(picture, sound, poster) {
  const video = el("video", { controls: true, preload: "none", playsinline: true, poster: poster || null, src: picture.video });
  const heard = sound.audio || sound.video;
  if (picture.video === heard) return [video];
  const audio = el("audio", { preload: "none", src: heard });
  video.muted = true;
  video.addEventListener("play", () => { audio.currentTime = video.currentTime; audio.play().catch(() => undefined); }); // a clip without sound is silent
  video.addEventListener("seeked", () => { audio.currentTime = video.currentTime; });
  video.addEventListener("pause", () => audio.pause());
  return [video, audio];
}

function chancesOf(sample, model, { p, odds }) {
  const gold = sample.choices.findIndex((choice) => choice.startsWith(`(${sample.gold})`));
  const best = p.indexOf(Math.max(...p));
  const bars = p.map((chance, place) => el("span", { class: place === gold ? "chance gold" : "chance", style: `--share: ${(100 * chance).toFixed(1)}%` },
    `${sample.choices[place].slice(1, 2)} ${(100 * chance).toFixed(1)}%${place === best ? (place === gold ? " ✓" : " ✗") : ""}`));
  return el("div", { class: "chances" }, el("span", { class: "tag" }, `${model}: log-odds of the right answer ${odds > 0 ? "+" : ""}${odds.toFixed(2)}`), ...bars);
}

function swapCell(sample, cell) {
  const clips = [...cell].map((whose) => `${sample.benchmark}/${whose === "o" ? sample.clip : sample.swap.partner}`);
  const [picture, sound] = clips.map((key) => data.played[key]), poster = data.clips[clips[0]]?.poster;
  const shown = picture && sound ? crossedPlayer(picture, sound, poster) : poster ? [el("img", { src: poster, alt: `a frame of ${clips[0]}` })] : [];
  const caption = el("p", { class: "cell" }, `${OF[cell[0]]} picture, ${OF[cell[1]]} sound`);
  return el("div", {}, caption, ...shown, ...Object.entries(sample.swap.models).map(([model, cells]) => chancesOf(sample, model, cells[cell])));
}

function swapParts(sample) {
  if (!sample.swap) return [];
  return [el("h3", {}, "Picture and sound exchanged"), el("p", { class: "legend" },
    `The partner, ${sample.swap.partner}, is a clip for which another answer is right. Bars: probability of each option; green is the right one of this question.`),
    el("div", { class: "swap" }, ...CELLS.map((cell) => swapCell(sample, cell)))];
}
