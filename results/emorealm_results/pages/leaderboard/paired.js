// Two runs on the same questions: the paired difference of their accuracies, and McNemar's test.
const RESAMPLES = 2000;

function randomFrom(seed) {
  // mulberry32: the same draws each time the page is opened
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

function mcnemar(onlyA, onlyB) {
  // exact and two-sided; in logarithms, because 0.5 to the power of some thousand questions is no number
  const flips = onlyA + onlyB;
  let tail = 0;
  for (let count = 0, term = -flips * Math.LN2; count <= Math.min(onlyA, onlyB); count += 1) {
    tail += Math.exp(term);
    term += Math.log(flips - count) - Math.log(count + 1);
  }
  return Math.min(1, 2 * tail);
}

function percentile(sorted, share) {
  const place = share * (sorted.length - 1), below = Math.floor(place);
  return sorted[below] + (place - below) * ((sorted[below + 1] ?? sorted[below]) - sorted[below]);
}

function clipInterval(differences) {
  // [clip, difference] of each question; clips are drawn, each with all its questions
  const clips = new Map();
  for (const [clip, difference] of differences) {
    const [sum, count] = clips.get(clip) || [0, 0];
    clips.set(clip, [sum + difference, count + 1]);
  }
  const drawn = [...clips.values()], random = randomFrom(1), means = [];
  for (let resample = 0; resample < RESAMPLES; resample += 1) {
    let sum = 0, count = 0;
    for (let draw = 0; draw < drawn.length; draw += 1) {
      const clip = drawn[Math.floor(random() * drawn.length)];
      sum += clip[0];
      count += clip[1];
    }
    means.push((100 * sum) / count);
  }
  means.sort((x, y) => x - y);
  return [percentile(means, 0.025), percentile(means, 0.975)];
}

function pairedText(samples, a, b) {
  const both = samples.filter((sample) => sample.answers[a] && sample.answers[b]);
  if (!both.length || a === b) return "";
  const rights = both.map((sample) => [isRight(sample, a), isRight(sample, b)]);
  const share = (place) => (100 * rights.filter((right) => right[place]).length) / both.length;
  const [onlyA, onlyB] = [0, 1].map((place) => rights.filter((right) => right[place] && !right[1 - place]).length);
  const [low, high] = clipInterval(both.map((sample, index) => [`${sample.benchmark}/${sample.clip}`, rights[index][1] - rights[index][0]]));
  const p = mcnemar(onlyA, onlyB);
  return `Right: A ${fixed(share(0))}%, B ${fixed(share(1))}%; B minus A ${signed(share(1) - share(0))} [${signed(low)}, ${signed(high)}] points ` +
    `(95%, ${RESAMPLES} resamples of clips, ${both.length} questions). Right in A alone ${onlyA}, in B alone ${onlyB}; McNemar p ${p < 0.001 ? "< 0.001" : `= ${p.toFixed(3)}`}.`;
}
