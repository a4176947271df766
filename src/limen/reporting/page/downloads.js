// Files that leave the page, and CSV.

import { el } from "./elements.js";

/** @param {string} name @param {string} text @param {string} type */
export function download(name, text, type) {
  const address = URL.createObjectURL(new Blob([text], { type }));
  const link = el("a", { href: address, download: name, hidden: true });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

/** @param {string | number} cell */
function inCsv(cell) {
  const text = String(cell);
  return /[",\r\n]/.test(text) || text !== text.trim() ? `"${text.replace(/"/g, '""')}"` : text;
}

/** @param {(string | number)[][]} rows */
export const asCsv = (rows) => rows.map((row) => row.map(inCsv).join(",")).join("\r\n") + "\r\n";
