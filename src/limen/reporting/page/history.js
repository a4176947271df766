// What is placed by label, in gestures that can be undone: what every report's page uses.

/** What one gesture changed. @template V @typedef {{label: number, from: V, to: V}[]} Step */
/**
 * Places by label, the steps made and undone, and where the labels of the present gesture were before it.
 * @template V @typedef {{at: {[k: number]: V}, made: Step<V>[], undone: Step<V>[], before: Map<number, V>}} Placed
 */

/** Put a label elsewhere, as part of a gesture. @template V @param {Placed<V>} placed @param {number} k @param {V} to */
export function placeLabel(placed, k, to) {
  if (!placed.before.has(k)) placed.before.set(k, placed.at[k]);
  placed.at[k] = to;
}

/** End a gesture: what it changed becomes one step. @template V @param {Placed<V>} placed
 * @param {(one: V, other: V) => boolean} [same] @returns {number[]}  The labels that it changed. */
export function endGesture(placed, same = Object.is) {
  const step = [...placed.before].map(([label, from]) => ({ label, from, to: placed.at[label] }))
    .filter(({ from, to }) => !same(from, to));
  placed.before.clear();
  if (step.length) {
    placed.made.push(step);
    placed.undone = [];
  }
  return step.map(({ label }) => label);
}

/** Go a step back, or forth again. @template V @param {Placed<V>} placed @param {boolean} back
 * @returns {number[]}  The labels that it changed. */
export function takeStep(placed, back) {
  const step = (back ? placed.made : placed.undone).pop();
  if (!step) return [];
  (back ? placed.undone : placed.made).push(step);
  for (const { label, from, to } of step) placed.at[label] = back ? from : to;
  return step.map(({ label }) => label);
}

/** Ctrl+Z, Ctrl+Shift+Z and Ctrl+Y, but where text is typed. @param {() => void} undo @param {() => void} redo */
export function startKeys(undo, redo) {
  addEventListener("keydown", (event) => {
    const typing = event.target instanceof HTMLInputElement && /^(text|search|number)$/.test(event.target.type);
    if (!(event.ctrlKey || event.metaKey) || event.altKey || typing) return;
    const key = event.key.toLowerCase();
    if (key !== "z" && key !== "y") return;
    event.preventDefault();
    if (key === "y" || event.shiftKey) redo();
    else undo();
  });
}
