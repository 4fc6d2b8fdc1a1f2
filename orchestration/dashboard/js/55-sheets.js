// Tables as CSV and XLSX, written by the page itself: numbers as numbers, and no text that a
// spreadsheet would compute.

const IS_FORMULA = /^\s*[=+\-@\t\r]/;

function csvOf(head, rows) {
  // Where decimals have a comma, a spreadsheet cuts cells at semicolons.
  const isComma = state.lang === "ru";
  const cut = isComma ? ";" : ",";
  const cell = (value) => {
    if (!isGiven(value)) return "";
    if (typeof value === "number") return isComma ? String(value).replace(".", ",") : String(value);
    const text = IS_FORMULA.test(value) ? `'${value}` : String(value);
    return /[";,\n\r]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
  };
  return new TextEncoder().encode(`\ufeff${[head, ...rows].map((row) => row.map(cell).join(cut)).join("\r\n")}\r\n`);
}

// One sheet; texts are strings inside of it, which are never computed.
function xlsxOf(head, rows) {
  const clean = (text) => String(text).replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, "").replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  const cell = (value) => (!isGiven(value) || value === "" ? "<c/>" : typeof value === "number" && Number.isFinite(value) ? `<c><v>${value}</v></c>` : `<c t="inlineStr"><is><t xml:space="preserve">${clean(value)}</t></is></c>`);
  const sheet = [head, ...rows].map((row) => `<row>${row.map(cell).join("")}</row>`).join("");
  const xml = (text) => `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n${text}`;
  // The names that the format's parts have; nobody is asked for them.
  const main = "http:" + "//schemas.openxmlformats.org/";
  return zipOf({
    "[Content_Types].xml": xml(`<Types xmlns="${main}package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>`),
    "_rels/.rels": xml(`<Relationships xmlns="${main}package/2006/relationships"><Relationship Id="rId1" Type="${main}officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>`),
    "xl/workbook.xml": xml(`<workbook xmlns="${main}spreadsheetml/2006/main" xmlns:r="${main}officeDocument/2006/relationships"><sheets><sheet name="Voronka" sheetId="1" r:id="rId1"/></sheets></workbook>`),
    "xl/_rels/workbook.xml.rels": xml(`<Relationships xmlns="${main}package/2006/relationships"><Relationship Id="rId1" Type="${main}officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>`),
    "xl/worksheets/sheet1.xml": xml(`<worksheet xmlns="${main}spreadsheetml/2006/main"><sheetData>${sheet}</sheetData></worksheet>`),
  });
}

let crcTable = null;
function crcOf(bytes) {
  crcTable ||= Uint32Array.from({ length: 256 }, (_, at) => { let value = at; for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1; return value; });
  let crc = -1;
  for (const byte of bytes) crc = crcTable[(crc ^ byte) & 255] ^ (crc >>> 8);
  return (crc ^ -1) >>> 0;
}
// Files in one, stored as they are.
function zipOf(files) {
  const [parts, entries] = [[], []];
  let offset = 0;
  const numbers = (...fields) => { const view = new DataView(new ArrayBuffer(fields.reduce((sum, [size]) => sum + size, 0))); let at = 0; for (const [size, value] of fields) { if (size === 2) view.setUint16(at, value, true); else view.setUint32(at, value, true); at += size; } return new Uint8Array(view.buffer); };
  for (const [name, text] of Object.entries(files)) {
    const [title, bytes] = [name, text].map((one) => new TextEncoder().encode(one));
    // Names in UTF-8, no compression, the first day that the format knows.
    const common = [[2, 20], [2, 0x800], [2, 0], [2, 0], [2, 33], [4, crcOf(bytes)], [4, bytes.length], [4, bytes.length], [2, title.length], [2, 0]];
    const local = numbers([4, 0x04034b50], ...common);
    entries.push(numbers([4, 0x02014b50], [2, 20], ...common, [2, 0], [2, 0], [2, 0], [4, 0], [4, offset]), title);
    parts.push(local, title, bytes);
    offset += local.length + title.length + bytes.length;
  }
  const size = entries.reduce((sum, entry) => sum + entry.length, 0);
  const count = Object.keys(files).length;
  return new Blob([...parts, ...entries, numbers([4, 0x06054b50], [2, 0], [2, 0], [2, count], [2, count], [4, size], [4, offset], [2, 0])]);
}

function save(content, name) {
  const link = h("a", { href: URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type: "text/csv" })), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

// Buttons under a table; `read` gives its heads and rows when one is pressed.
function exportButtons(name, read) {
  const file = (suffix) => `${name}-${state.from ? `${state.from}-${state.to}` : state.period || ABOUT.end}.${suffix}`;
  const button = (text, write) => h("button", { type: "button", title: t("save_as", { format: text }), "aria-label": t("save_as", { format: text }), onclick: () => { const { head, rows } = read(); save(write(head, rows), file(text.toLowerCase())); } }, text);
  return h("div", { class: "exports" }, button("CSV", csvOf), button("XLSX", xlsxOf));
}
const textOf = (content) => { const box = h("div", {}, content); for (const mark of box.querySelectorAll(".info, svg")) mark.remove(); return box.textContent.trim(); };
