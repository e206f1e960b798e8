// A clip: the player, its frames, and the sound's picture with a line at the time that is playing.
function timeline(picture, seconds, player) {
  const line = el("span", { class: "now" });
  const box = el("div", { class: "timeline" }, el("img", { src: picture, alt: `waveform, and spectrogram from 0 to 6 kHz, of ${fixed(seconds, 2)} s` }));
  if (!player) return box;
  box.append(line);
  let frame = 0;
  const draw = () => {
    line.style.left = `${100 * Math.min(player.currentTime / seconds, 1)}%`;
    if (!player.paused && player.isConnected) frame = requestAnimationFrame(draw);
  };
  for (const event of ["play", "seeked", "pause", "ended", "timeupdate"]) {
    player.addEventListener(event, () => { cancelAnimationFrame(frame); draw(); });
  }
  box.title = "Click to go to that time";
  box.addEventListener("click", (event) => {
    const { left, width } = box.getBoundingClientRect();
    player.currentTime = ((event.clientX - left) / width) * seconds;
  });
  return box;
}

function mediaPlayer(kind, link, poster, notice) {
  const node = el(kind, { controls: true, preload: "metadata", playsinline: true, poster: poster || null, src: link });
  node.addEventListener("error", () => {
    notice.textContent = data.moved.replace("{link}", link);
    notice.hidden = false;
  });
  return node;
}

function clipParts(sample) {
  const key = `${sample.benchmark}/${sample.clip}`;
  const drawn = data.clips[key], played = data.played[key];
  const parts = [], notice = el("p", { class: "legend notice", hidden: true, role: "status" });
  let video = null, sound = null;
  if (played) {
    video = mediaPlayer("video", played.video, drawn?.poster, notice);
    sound = played.audio ? mediaPlayer("audio", played.audio, null, notice) : video;
    parts.push(video, ...(sound === video ? [] : [el("p", { class: "legend" }, "The sound is a file of its own:"), sound]), notice);
  } else parts.push(el("p", { class: "legend notice" }, data.missing[sample.benchmark] || ""));
  if (drawn?.frames) parts.push(el("img", { src: drawn.frames, alt: `frames at ${drawn.times.join(", ")} s` }), el("span", { class: "tag" }, `frames at ${drawn.times.join(" s, ")} s`));
  if (drawn?.sound) {
    parts.push(timeline(drawn.sound, drawn.seconds, sound), el("span", { class: "tag" }, "waveform above, spectrogram from 0 to 6 kHz below"));
  }
  for (const lack of [drawn?.no_frames, drawn?.no_sound].filter(Boolean)) parts.push(el("p", { class: "legend" }, lack));
  if (!drawn && played) parts.push(el("p", { class: "legend" }, `Frames and sound of ${Object.keys(data.clips).length} clips are drawn; more with emorealm leaderboard --pictures N.`));
  return parts;
}
