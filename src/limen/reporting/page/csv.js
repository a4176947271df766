// Tables as CSV.

/** @param {string | number} cell */
function inCsv(cell) {
  const text = String(cell);
  return /[",\r\n]/.test(text) || text !== text.trim() ? `"${text.replace(/"/g, '""')}"` : text;
}

/** @param {(string | number)[][]} rows */
export const asCsv = (rows) => rows.map((row) => row.map(inCsv).join(",")).join("\r\n") + "\r\n";
