// What an accessibility checker finds on a page, by the rules that matter here: WCAG 2.1 AA as far as a
// script can see it. Answers sentences; none means nothing was found.
() => {
  const found = [];
  const shown = (e) => e.checkVisibility ? e.checkVisibility({ checkVisibilityCSS: true }) : e.offsetParent !== null;
  const name = (e) => (e.getAttribute("aria-label") || [...(e.labels || [])].map((l) => l.textContent).join(" ")
    || (e.getAttribute("aria-labelledby") || "").split(" ").map((id) => document.getElementById(id)?.textContent || "").join(" ")
    || (e.tagName === "IMG" ? e.alt : "") || e.textContent || e.title || "").trim();
  const say = (what, e) => found.push(`${what}: ${e.outerHTML.slice(0, 120)}`);

  if (!document.documentElement.lang) found.push("the page has no language");
  if (!document.title) found.push("the page has no title");
  if (document.querySelectorAll("main").length !== 1) found.push("the page has not one main part");
  if (/user-scalable=no|maximum-scale=1/.test(document.querySelector("meta[name=viewport]")?.content || "")) found.push("zoom is forbidden");
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  for (const id of ids.filter((id, at) => ids.indexOf(id) !== at)) found.push(`id twice: ${id}`);
  for (const e of document.querySelectorAll("[aria-labelledby], [aria-describedby], [aria-controls], label[for], output[for], a[href^='#']")) {
    const target = e.getAttribute("aria-labelledby") || e.getAttribute("aria-describedby") || e.getAttribute("aria-controls") || e.getAttribute("for") || e.hash?.slice(1);
    for (const id of (target || "").split(" ")) if (id && !document.getElementById(id)) say(`points to nothing (${id})`, e);
  }
  for (const e of document.querySelectorAll("button, a[href], input, select, textarea, summary, [role=img], [tabindex='0'], canvas, video")) {
    if (shown(e) && !e.closest("[aria-hidden=true]") && !name(e)) say("no name", e);
  }
  for (const e of document.querySelectorAll("img")) if (!e.hasAttribute("alt")) say("no alt", e);
  for (const e of document.querySelectorAll("[aria-hidden=true] :is(button, a[href], input, select, [tabindex])")) say("focus inside what is hidden", e);
  for (const e of document.querySelectorAll("[tabindex]")) if (Number(e.getAttribute("tabindex")) > 0) say("tabindex above 0", e);
  let level = 0;
  for (const e of document.querySelectorAll("h1, h2, h3, h4")) {
    const now = Number(e.tagName[1]);
    if (now > level + 1) say(`heading jumps from ${level}`, e);
    level = now;
  }
  for (const e of document.querySelectorAll("ul > *, ol > *")) if (!["LI", "SCRIPT", "TEMPLATE"].includes(e.tagName)) say("not a list item", e);
  for (const e of document.querySelectorAll("[role=radio], [role=tab], [role=switch]")) {
    if (e.tagName !== "INPUT" && !e.hasAttribute("aria-checked") && !e.hasAttribute("aria-selected")) say("role without a state", e);
  }
  for (const e of document.querySelectorAll("button, a[href], input, select, summary")) {
    const box = e.getBoundingClientRect();
    const inText = getComputedStyle(e).display === "inline";
    if (shown(e) && box.width > 2 && !inText && e.type !== "checkbox" && e.type !== "range" && (box.width < 24 || box.height < 24)) say(`target ${box.width}x${box.height}`, e);
  }

  // Contrast of text against the nearest background that is one colour.
  const parse = (text) => (text.match(/[\d.]+/g) || []).map(Number);
  const lum = ([r, g, b]) => [r, g, b].map((v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; })
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const background = (e) => {
    for (let at = e; at; at = at.parentElement) {
      const style = getComputedStyle(at);
      if (style.backgroundImage !== "none") return null;
      const [r, g, b, a = 1] = parse(style.backgroundColor);
      if (a > 0.99) return [r, g, b];
      if (at.classList.contains("device")) return null;
    }
    return [255, 255, 255];
  };
  for (const e of document.querySelectorAll("body *")) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !shown(e) || e.closest("svg, noscript, [aria-hidden=true]") || e.disabled) continue;
    const box = e.getBoundingClientRect();
    if (box.width < 3) continue;
    const style = getComputedStyle(e);
    const behind = background(e);
    if (!behind) continue;
    const [a, b] = [lum(parse(style.color)), lum(behind)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    const big = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (big ? 3 : 4.5)) say(`contrast ${ratio.toFixed(2)}`, e);
  }
  return found;
}
