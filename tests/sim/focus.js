// What has the focus, and whether that can be seen.
() => {
  const e = document.activeElement;
  if (e === document.body) return null;
  const style = getComputedStyle(e);
  const around = e.nextElementSibling ? getComputedStyle(e.nextElementSibling).outlineStyle : "none";
  const row = e.closest(".row") ? getComputedStyle(e.closest(".row").querySelector("label") || e).outlineStyle : "none";
  return { what: e.id || e.textContent.trim().slice(0, 20) || e.tagName, seen: [style.outlineStyle, around, row].some((s) => s !== "none") };
}
