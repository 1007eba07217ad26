"use strict";
// The sample browser. Data come in chunks, as scripts beside the page or inside it; texts are only
// ever set as text, never as HTML.
(() => {
  const meta = JSON.parse(document.getElementById("meta").textContent);
  const $ = (id) => document.getElementById(id);
  const loaded = new Map(); // task -> samples
  const prompts = new Map();
  const PAGE = 150;
  let samples = [], found = [], shown = 0, current = null, hideTruth = false;

  // -- data ----------------------------------------------------------------------------------
  window.ER_CHUNK = (chunk) => {
    for (const [sha, prompt] of Object.entries(chunk.prompts)) prompts.set(sha, prompt);
    const parts = loaded.get(chunk.task) || [];
    parts[chunk.n] = chunk.samples;
    loaded.set(chunk.task, parts);
  };
  function script(src) {
    return new Promise((resolve, reject) => {
      const element = document.createElement("script");
      element.src = src;
      element.onload = () => { element.remove(); resolve(); };
      element.onerror = () => reject(new Error(`cannot load ${src}`));
      document.head.append(element);
    });
  }
  const asked = new Map();
  function load(task) {
    if (!asked.has(task)) {
      asked.set(task, (async () => {
        for (const name of meta.chunks[task] || []) {
          if (meta.single) ER_CHUNK(JSON.parse($(name).textContent));
          else await script(name);
        }
      })());
    }
    return asked.get(task);
  }

  // -- small things --------------------------------------------------------------------------
  function el(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value === true) element.setAttribute(name, "");
      else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
    }
    element.append(...children.filter((child) => child !== null && child !== undefined));
    return element;
  }
  function svg(tag, attributes) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    return element;
  }
  const readings = (sample) => Object.keys(sample.readings);
  const chosen = (sample) => sample.readings[$("reading").value] || sample.readings.official || null;
  const percent = (score) => (score === null || score === undefined ? "left out" : `${Math.round(score * 1000) / 10}`);
  const worth = (verdict) => (verdict.lower ? 1 - verdict.score : verdict.score); // more is better
  function grade(verdict) {
    if (!verdict) return ["!", "wrong", "error"];
    if (verdict.score === null) return ["–", "none", "left out"];
    const value = worth(verdict);
    if (value >= 0.9995) return ["✓", "right", "right"];
    if (value <= 0.0005) return ["✗", "wrong", "wrong"];
    return ["◐", "part", "partly right"];
  }
  const key = (sample) => `${sample.task}/${sample.id}/${sample.repeat}`;
  const answer = (sample) => sample.turns.map((turn) => turn.text).join("\n");
  const scoresOf = (sample) => readings(sample).map((name) => sample.readings[name].score);

  // -- filters -------------------------------------------------------------------------------
  const tests = {
    all: () => true,
    wrong: (s) => { const v = chosen(s); return v && v.score !== null && worth(v) < 0.9995; },
    right: (s) => { const v = chosen(s); return v && v.score !== null && worth(v) >= 0.9995; },
    unparsed: (s) => { const v = chosen(s); return v && v.status !== "ok" && v.status !== "out_of_range"; },
    readings: (s) => new Set(scoresOf(s)).size > 1,
    errors: (s) => s.status !== "scored",
    truncated: (s) => s.truncated,
    differ: (s) => s.other && percent(chosen(s)?.score) !== percent(chosen(s.other)?.score),
  };
  const rank = (verdict) => (verdict && verdict.score !== null ? worth(verdict) : -1);
  const orders = {
    run: null,
    score: (a, b) => rank(chosen(a)) - rank(chosen(b)),
    id: (a, b) => a.id.localeCompare(b.id, "en", { numeric: true }),
    length: (a, b) => answer(b).length - answer(a).length,
  };
  function filter() {
    const category = $("category").value, test = tests[$("show").value], word = $("search").value.trim().toLowerCase();
    found = samples.filter((s) => (category === "" || s.category === category) && test(s)
      && (word === "" || `${s.id}\n${s.question}\n${answer(s)}`.toLowerCase().includes(word)));
    const order = orders[$("order").value];
    if (order) found.sort(order);
    $("count").textContent = `${found.length.toLocaleString("en")} of ${samples.length.toLocaleString("en")}`;
    $("list").replaceChildren();
    shown = 0;
    more();
    if (!found.includes(current)) show(found[0] || null, false);
    else mark();
  }
  function more() {
    const next = found.slice(shown, shown + PAGE);
    $("list").append(...next.map((sample) => {
      const [sign, name, said] = grade(chosen(sample));
      const button = el("button", { type: "button", "data-key": key(sample) },
        el("span", { class: name, "aria-label": said, role: "img" }, sign),
        el("span", {}, sample.id + (sample.repeat ? ` (${sample.repeat + 1})` : "")),
        el("small", {}, sample.category));
      button.addEventListener("click", () => show(sample, true));
      return el("li", {}, button);
    }));
    shown += next.length;
    $("more").hidden = shown >= found.length;
  }
  function mark() {
    for (const button of $("list").querySelectorAll("button")) {
      const on = current && button.dataset.key === key(current);
      if (on) { button.setAttribute("aria-current", "true"); button.scrollIntoView({ block: "nearest" }); }
      else button.removeAttribute("aria-current");
    }
  }
  async function task(label, wanted) {
    $("task").value = label;
    $("sample").replaceChildren(el("p", { class: "hint" }, "Loading …"));
    try {
      await load(label);
    } catch (error) {
      $("sample").replaceChildren(el("p", { class: "wrong" }, String(error.message)));
      return;
    }
    samples = (loaded.get(label) || []).flat();
    const names = (values) => [...new Set(values)].sort();
    $("category").replaceChildren(el("option", { value: "" }, "all"),
      ...names(samples.map((s) => s.category)).map((name) => el("option", { value: name }, name)));
    const kept = $("reading").value;
    const all = [...new Set(samples.flatMap(readings))];
    $("reading").replaceChildren(...all.map((name) => el("option", { value: name }, name)));
    $("reading").value = all.includes(kept) ? kept : all[0] || "";
    current = samples.find((s) => key(s) === wanted) || null;
    filter();
    if (current) show(current, false);
  }

  // -- one sample ----------------------------------------------------------------------------
  function shapes(points, boxes, name, unit) {
    const made = [];
    const twice = (tag, attributes) => {
      made.push(svg(tag, { ...attributes, class: `halo ${name}` }), svg(tag, { ...attributes, class: name }));
    };
    for (const [x, y] of points) {
      const r = unit * 1.2;
      if (name === "truth") twice("circle", { cx: x, cy: y, r });
      else if (name === "second") twice("rect", { x: x - r, y: y - r, width: 2 * r, height: 2 * r });
      else {
        twice("path", { d: `M${x - r} ${y - r}L${x + r} ${y + r}M${x + r} ${y - r}L${x - r} ${y + r}`, "data-x": x, "data-y": y });
      }
    }
    for (const [x1, y1, x2, y2] of boxes) {
      twice("rect", { x: Math.min(x1, x2), y: Math.min(y1, y2), width: Math.abs(x2 - x1), height: Math.abs(y2 - y1) });
    }
    return made;
  }
  function line(trace, name, unit) {
    const points = trace.map(([x, y]) => `${x},${y}`).join(" ");
    const end = trace[trace.length - 1];
    const made = ["halo ", ""].map((before) => svg("polyline", { points, class: `${before}${name} trace` }));
    if (end) made.push(svg("circle", { cx: end[0], cy: end[1], r: unit * 1.2, class: `${name} end` }));
    return made;
  }
  function overlay(sample, verdict, size) {
    const unit = Math.max(size.w, size.h) / 90;
    const drawn = svg("svg", { viewBox: `0 0 ${size.w} ${size.h}`, preserveAspectRatio: "none", "aria-hidden": "true" });
    for (const outline of sample.truth.polygons) {
      const points = [];
      for (let k = 0; k + 1 < outline.length; k += 2) points.push(`${outline[k]},${outline[k + 1]}`);
      drawn.append(svg("polygon", { points: points.join(" "), class: "halo truth" }), svg("polygon", { points: points.join(" "), class: "truth" }));
    }
    const traced = sample.truth.trace.length > 0;
    if (traced) {
      drawn.append(...line(sample.truth.trace, "truth", unit));
      if (verdict) drawn.append(...line(verdict.points, "told", unit));
    }
    drawn.append(...shapes(sample.truth.points, sample.truth.boxes, "truth", unit));
    if (verdict) drawn.append(...shapes(verdict.points, verdict.boxes, "told", unit));
    const second = sample.other && chosen(sample.other);
    if (second) drawn.append(...shapes(second.points, second.boxes, "second", unit));
    return drawn;
  }
  function pictures(sample, verdict) {
    const acted = sample.control.length || sample.turns.some((turn) => turn.steps.length); // its film has the pictures
    const media = sample.media.length || acted ? sample.media : (sample.turns[0] || { media: [] }).media;
    const placed = verdict && (verdict.points.length || verdict.boxes.length);
    const truth = sample.truth;
    const drawn = placed || truth.points.length || truth.boxes.length || truth.polygons.length || truth.trace.length || truth.mask;
    const figures = media.map((medium, number) => {
      const caption = el("figcaption", {}, medium.name);
      if (!medium.picture) return el("figure", {}, el("p", { class: "hint" }, "This picture is not at hand: the data have moved, or the run kept none."), caption);
      const image = el("img", { src: medium.picture.src, alt: `Picture ${number + 1} of sample ${sample.id}`, loading: "lazy", width: medium.picture.w, height: medium.picture.h });
      const frame = el("div", { class: "frame" }, image);
      if (number === 0 && drawn) {
        if (truth.mask) frame.append(el("img", { class: "mask", src: truth.mask.src, alt: "" }));
        frame.append(overlay(sample, verdict, medium.picture));
      }
      return el("figure", {}, frame, caption);
    });
    const box = el("div", { class: `pictures${hideTruth ? " hide-truth" : ""}` }, ...figures);
    if (!drawn) return [box];
    const key = (shape, text) => {
      const icon = svg("svg", { viewBox: "0 0 26 14", "aria-hidden": "true" });
      icon.append(shape);
      return el("span", {}, icon, text);
    };
    const legend = el("p", { class: "legend" },
      key(svg("rect", { x: 5, y: 2, width: 16, height: 10, class: "truth" }), "truth (green, solid, or a green area)"),
      key(svg("path", { d: "M8 2L18 12M18 2L8 12", class: "told" }), `answer${sample.other ? " of A" : ""} (orange, crosses or dashed)`),
      sample.other ? key(svg("rect", { x: 8, y: 2, width: 10, height: 10, class: "second" }), "answer of B (purple, squares or dotted)") : null);
    return [legend, box];
  }
  function marked(text, span) {
    const pre = el("pre", { tabindex: "0", "aria-label": "Answer" });
    if (span && span[1] <= text.length) {
      const all = Array.from(text);
      pre.append(all.slice(0, span[0]).join(""), el("mark", { title: "the part that this reading rests on" }, all.slice(span[0], span[1]).join("")), all.slice(span[1]).join(""));
    } else pre.append(text === "" ? "(no text)" : text);
    return pre;
  }
  function promptOf(turn) {
    const prompt = prompts.get(turn.prompt);
    if (!prompt) return null;
    return el("details", {}, el("summary", {}, "Prompt"),
      ...prompt.flatMap((message) => [el("h4", {}, message.role), el("pre", { tabindex: "0", "aria-label": `Prompt, ${message.role}` }, message.parts.join("\n"))]));
  }
  function verdicts(sample) {
    const rows = readings(sample).map((name) => {
      const verdict = sample.readings[name], [sign, style] = grade(verdict);
      return el("tr", {}, el("th", { scope: "row" }, name), el("td", { class: `number ${style}` }, `${sign} ${percent(verdict.score)}`),
        el("td", {}, verdict.status === "ok" ? verdict.value : `${verdict.status} ${verdict.value}`), el("td", {}, verdict.why));
    });
    if (!rows.length) return el("p", { class: "wrong" }, `${sample.status}: ${sample.error}`);
    const head = ["reading", "score", "read as", "why"].map((name) => el("th", { scope: "col" }, name));
    return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Readings of this answer" },
      el("table", {}, el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...rows)));
  }
  function answers(sample, title) {
    const parts = [el("h4", {}, title)];
    if (sample.control.length) parts.push(control(sample));
    else if (sample.turns.length > 1 || sample.turns.some((turn) => turn.steps.length)) parts.push(episode(sample));
    else for (const turn of sample.turns) {
      if (turn.thoughts) parts.push(el("details", {}, el("summary", {}, `Thoughts, ${turn.thoughts.length.toLocaleString("en")} characters`), el("pre", { tabindex: "0", "aria-label": "Thoughts" }, turn.thoughts)));
      const verdict = chosen(sample);
      parts.push(marked(turn.text, verdict && verdict.span));
      const told = [turn.finish && `finished: ${turn.finish}`, turn.tokens[1] !== null && `${turn.tokens[1]} tokens`, turn.sizes.length && `pictures as sent: ${turn.sizes.map((s) => s.join("×")).join(", ")}`];
      parts.push(el("p", { class: "meta" }, told.filter(Boolean).join(" · ")), promptOf(turn));
    }
    parts.push(verdicts(sample));
    return el("div", {}, ...parts.filter(Boolean));
  }
  function episode(sample) {
    const items = sample.turns.map((turn, number) => {
      const medium = turn.media.find((m) => m.picture);
      const steps = turn.steps.map((step) => el("li", {}, el("b", { class: step.valid ? "" : "wrong" }, step.action), ` ${step.valid ? "" : "(not possible) "}${step.feedback}`));
      return el("li", {}, medium ? el("img", { src: medium.picture.src, alt: `What the agent saw before plan ${number + 1}`, loading: "lazy" }) : el("p", { class: "hint" }, "no picture kept"),
        el("b", {}, `Plan ${number + 1}`), el("ol", {}, ...steps),
        el("details", {}, el("summary", {}, "Answer"), el("pre", { tabindex: "0", "aria-label": `Answer ${number + 1}` }, turn.text)), promptOf(turn));
    });
    return el("div", {}, el("p", { class: "meta" }, `${sample.instruction} — ended: ${sample.ending}`),
      film(sample), el("ol", { class: "strip", tabindex: "0", "aria-label": "Plans of the episode, in order" }, ...items));
  }
  function control(sample) {
    const digits = (number) => number.toFixed(2).replace("-0.00", "0.00");
    const items = sample.control.map((part) => {
      const medium = part.media.find((m) => m.picture), end = part.first + part.n;
      const last = part.last.map(([name, value, unit]) => `${name} ${digits(value)}${unit === "1" ? "" : ` ${unit}`}`).join(", ");
      return el("li", {}, medium ? el("img", { src: medium.picture.src, alt: `What was seen before step ${part.first + 1}`, loading: "lazy" }) : el("p", { class: "hint" }, "no picture kept"),
        el("b", { class: part.success ? "right" : "" }, `Steps ${part.first + 1} to ${end}${part.success ? ": success" : ""}`),
        el("p", { class: "meta" }, [part.reward !== null && `reward ${digits(part.reward)}`, `last action: ${last}`].filter(Boolean).join(" · ")));
    });
    return el("div", {}, el("p", { class: "meta" }, `${sample.instruction} — ended: ${sample.ending}`),
      film(sample), el("ol", { class: "strip", tabindex: "0", "aria-label": "What the policy did, in order" }, ...items));
  }
  function film(sample) {
    if (!sample.film) return null;
    if (!sample.film.src) return el("p", { class: "hint" }, `No video: ${sample.film.why}`);
    const first = [...sample.turns, ...sample.control].flatMap((turn) => turn.media).find((medium) => medium.picture);
    return el("video", { class: "film", src: sample.film.src, poster: first && first.picture.src, controls: true, muted: true, preload: "none", "aria-label": "What the agent saw, one kept picture a second" });
  }
  function show(sample, focus) {
    current = sample;
    const article = $("sample");
    if (!sample) { article.replaceChildren(el("p", { class: "hint" }, "No sample fits these filters.")); return; }
    const verdict = chosen(sample), link = `#${encodeURIComponent(sample.task)}/${encodeURIComponent(sample.id)}/${sample.repeat}`;
    const options = Object.entries(sample.options);
    const body = [
      el("h3", {}, el("a", { href: link, class: "link" }, sample.id), sample.repeat ? ` (repeat ${sample.repeat + 1})` : ""),
      el("p", { class: "meta" }, [sample.task, sample.category, sample.truncated ? "cut off at the token limit" : ""].filter(Boolean).join(" · ")),
      ...pictures(sample, verdict),
      el("h4", {}, "Question"), el("p", {}, sample.question),
    ];
    if (options.length) body.push(el("ul", {}, ...options.map(([letter, text]) => el("li", { class: letter === sample.truth.text ? "right" : "" }, `${letter}. ${text}${letter === sample.truth.text ? " (true)" : ""}`))));
    if (sample.truth.text) body.push(el("h4", {}, "Truth"), el("p", {}, sample.truth.text));
    const two = sample.other ? " two" : "";
    body.push(el("div", { class: `answers${two}` }, answers(sample, sample.other ? `Answer of A: ${meta.runs[0]}` : "Answer"), sample.other ? answers(sample.other, `Answer of B: ${meta.runs[1]}`) : null));
    article.replaceChildren(...body);
    if (focus) article.focus({ preventScroll: true });
    mark();
    history.replaceState(null, "", link);
  }
  function step(by) {
    const at = found.indexOf(current) + by;
    if (at < 0 || at >= found.length) return;
    while (at >= shown) more();
    show(found[at], false);
  }

  // -- the page ------------------------------------------------------------------------------
  $("task").replaceChildren(...Object.keys(meta.chunks).map((label) => el("option", { value: label }, label)));
  $("task").addEventListener("change", () => task($("task").value, null));
  for (const id of ["category", "show", "order"]) $(id).addEventListener("change", filter);
  $("reading").addEventListener("change", () => { filter(); show(current, false); });
  $("search").addEventListener("input", filter);
  $("more").addEventListener("click", more);
  $("help").addEventListener("click", () => $("keys").showModal());
  $("theme").addEventListener("click", () => {
    const dark = getComputedStyle(document.documentElement).colorScheme === "dark";
    document.documentElement.dataset.theme = dark ? "light" : "dark";
  });
  document.querySelector(".filters").addEventListener("submit", (event) => event.preventDefault());
  for (const button of document.querySelectorAll("[data-task]")) {
    button.addEventListener("click", () => { task(button.dataset.task, null); $("browser").scrollIntoView(); });
  }
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || $("keys").open) return;
    const writing = event.target.matches("input, select, textarea");
    if (event.key === "Escape" && writing) { event.target.blur(); return; }
    if (writing) return;
    const scrolls = event.target.matches("pre, .scroll, .strip, video");
    if (event.key === "j" || (event.key === "ArrowDown" && !scrolls)) step(1);
    else if (event.key === "k" || (event.key === "ArrowUp" && !scrolls)) step(-1);
    else if (event.key === "/") $("search").focus();
    else if (event.key === "?") $("keys").showModal();
    else if (event.key === "m") { hideTruth = !hideTruth; document.querySelector(".pictures")?.classList.toggle("hide-truth", hideTruth); }
    else return;
    event.preventDefault();
  });
  function fromLink() {
    const parts = location.hash.slice(1).split("/").map(decodeURIComponent);
    if (!meta.chunks[parts[0]]) return null; // a task, or a sample: task, id and repeat
    return parts.length === 3 ? [parts[0], parts.join("/")] : [parts[0], null];
  }
  window.addEventListener("hashchange", () => {
    const to = fromLink();
    const there = current && (to?.[1] ? key(current) === to[1] : current.task === to?.[0]);
    if (to && !there) task(...to);
  });
  const first = fromLink() || [Object.keys(meta.chunks)[0], null];
  if (first[0] !== undefined) task(...first);

  // -- a run that is still going ---------------------------------------------------------------
  if (meta.progress) {
    const EVERY_MS = 3000, IDLE_MS = 4000; // nobody's reading is cut off
    let touched = 0;
    for (const kind of ["keydown", "pointerdown", "wheel", "touchstart"]) {
      window.addEventListener(kind, () => { touched = performance.now(); }, { passive: true });
    }
    const tell = (done, total) => {
      $("progress").hidden = false;
      $("progress").textContent = `still going: ${done} of ${total} samples`;
    };
    tell(...meta.progress);
    const look = async () => {
      try {
        const { done, total } = await (await fetch("progress")).json();
        tell(done, total);
        if (done > meta.progress[0] && performance.now() - touched > IDLE_MS) { location.reload(); return; }
      } catch {
        $("progress").textContent = "the server does not answer any more";
      }
      setTimeout(look, EVERY_MS);
    };
    setTimeout(look, EVERY_MS);
  }
})();
