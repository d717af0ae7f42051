// What is hard to read or to reach on the page as it is now: a list of complaints, empty when there are none.
const rgb = (color) => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  canvas.fillStyle = color;
  canvas.fillRect(0, 0, 1, 1);
  return [...canvas.getImageData(0, 0, 1, 1).data];
};
const light = (color) => {
  const [r, g, b] = rgb(color).slice(0, 3).map((part) => {
    const share = part / 255;
    return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const ground = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const color = getComputedStyle(at).backgroundColor;
    if (rgb(color)[3] === 255) return color;
  }
  return "white";
};
const complaints = new Set();
for (const element of document.querySelectorAll("body *")) {
  const own = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.textContent.trim());
  if (!own || !element.checkVisibility({ visibilityProperty: true })) continue;
  const svg = element instanceof SVGElement;
  if (svg && element.tagName !== "text") continue;
  const style = getComputedStyle(element);
  const [one, two] = [light(svg ? style.fill : style.color), light(ground(element))].sort((a, b) => b - a);
  const contrast = (one + 0.05) / (two + 0.05);
  if (contrast < 4.5) complaints.add(`contrast ${contrast.toFixed(2)}: ${element.tagName} ${element.className} ${element.textContent.slice(0, 30)}`);
  if (parseFloat(style.fontSize) < 12) complaints.add(`small: ${element.textContent.slice(0, 30)}`);
}
for (const table of document.querySelectorAll("table")) {
  if (!table.caption?.textContent.trim()) complaints.add(`a table without a caption: ${table.id}`);
}
for (const control of document.querySelectorAll("button, a, summary")) {
  if (!control.textContent.trim()) complaints.add(`a control without a name: ${control.outerHTML.slice(0, 60)}`);
}
const levels = [...document.querySelectorAll("h1, h2, h3")].filter((one) => one.checkVisibility()).map((one) => +one.tagName[1]);
if (levels.filter((level) => level === 1).length !== 1) complaints.add("there is not one h1");
levels.forEach((level, place) => place && level - levels[place - 1] > 1 && complaints.add(`a heading is skipped before number ${place}`));
for (const landmark of ["header", "main", "footer"]) {
  if (document.querySelectorAll(landmark).length !== 1) complaints.add(`not one ${landmark}`);
}
return [...complaints];
