// The field of the error index: shows the messages that share most words with what was pasted into it.
document.addEventListener("DOMContentLoaded", () => {
  const field = document.getElementById("find-error");
  if (!field) return;
  const words = (text) => text.toLowerCase().match(/[a-z_]{2,}|>=/g) || [];
  const entries = [...document.querySelectorAll("ul.messages > li")].map((item) => {
    const fixed = item.cloneNode(true);
    fixed.querySelectorAll("em").forEach((shown) => shown.remove());
    return { item, words: new Set(words(fixed.textContent)) };
  });
  const report = document.getElementById("found-errors");
  field.addEventListener("input", () => {
    const asked = [...new Set(words(field.value))];
    let found = 0;
    // A few typed words should all be there; a pasted message has words of its own, and the nearest entries are shown.
    const shared = entries.map((entry) => asked.filter((word) => entry.words.has(word)).length);
    const alike = entries.map((entry, k) => (shared[k] < 3 ? 0 : (2 * shared[k]) / (entry.words.size + asked.length)));
    const least = 0.9 * Math.max(...alike);
    const all = shared.some((number) => number === asked.length);
    entries.forEach(({ item }, k) => {
      const shown = !asked.length || (all ? shared[k] === asked.length : least > 0 && alike[k] >= least);
      item.hidden = !shown;
      found += shown;
    });
    document.querySelectorAll("ul.messages").forEach((list) => {
      const empty = !list.querySelector("li:not([hidden])");
      list.hidden = empty;
      if (list.previousElementSibling?.classList.contains("rubric")) list.previousElementSibling.hidden = empty;
    });
    document.querySelectorAll("section[id^='messages-']").forEach((section) => {
      section.hidden = !section.querySelector("li:not([hidden])");
    });
    report.textContent = asked.length ? (found === 1 ? "1 fits" : `${found} fit`) : "";
  });
});
