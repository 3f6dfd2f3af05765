"use strict";
(() => {
  const root = document.documentElement;
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const stored = (area, name, value) => {
    // A browser may forbid storage to a file; then nothing is saved.
    try { return value === undefined ? JSON.parse(area().getItem(name)) : area().setItem(name, JSON.stringify(value)); }
    catch { return null; }
  };
  const session = () => window.sessionStorage, local = () => window.localStorage;
  const storageKey = `ablate ${location.pathname}`;
  const saved = stored(session, storageKey) || {};

  // ---- theme
  const themes = ["system", "light", "dark"];
  const theme = document.querySelector(".theme");
  const setTheme = name => {
    if (name === "system") delete root.dataset.theme; else root.dataset.theme = name;
    theme.lastElementChild.textContent = name;
  };
  let current = stored(local, "ablate theme");
  if (!themes.includes(current)) current = "system";
  setTheme(current);
  theme.hidden = false;
  theme.addEventListener("click", () => {
    current = themes[(themes.indexOf(current) + 1) % 3];
    setTheme(current);
    stored(local, "ablate theme", current);
    redraw();
  });

  // ---- filters and options, which survive the reload of a live page
  const controls = all("main input, main select");
  const valueOf = control => control.type === "checkbox" ? control.checked : control.value;
  // A page that has got further sections since then has other controls.
  if (saved.controls?.length === controls.length) {
    controls.forEach((control, index) => {
      control[control.type === "checkbox" ? "checked" : "value"] = saved.controls[index];
      if (control.selectedIndex === -1) control.selectedIndex = 0;
    });
  }

  // ---- tables: sorted by a click on a head, filtered by words
  const sortBy = (table, column, down) => {
    const text = row => row.cells[column].textContent.trim();
    const isMissing = row => ["", "–"].includes(text(row));
    const compare = (a, b) => {
      // What is missing stays at the end, whichever way the column is sorted.
      if (isMissing(a) || isMissing(b)) return isMissing(a) - isMissing(b);
      const [first, second] = [a, b].map(row => row.cells[column].dataset.value);
      const order = first && second ? first - second : text(a).localeCompare(text(b), "en", {numeric: true});
      return down ? -order : order;
    };
    table.tBodies[0].append(...[...table.tBodies[0].rows].sort(compare));
    [...table.tHead.rows[0].cells].forEach((head, index) => {
      if (index === column) head.setAttribute("aria-sort", down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
  };
  for (const table of all("table")) {
    if (table.tBodies[0].rows.length < 2) continue;
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      if (head.classList.contains("links")) return;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      button.title = "Sort";
      head.append(button);
      button.addEventListener("click", () => {
        sortBy(table, column, head.getAttribute("aria-sort") === "ascending");
        (saved.sorts ||= {})[table.id] = [column, head.getAttribute("aria-sort") === "descending"];
      });
    });
    const sort = (saved.sorts || {})[table.id];
    if (sort && sort[0] < table.tHead.rows[0].cells.length) sortBy(table, ...sort);
  }
  for (const box of all("[data-filter]")) {
    const table = box.querySelector("table");
    const column = [...table.tHead.rows[0].cells].findIndex(head => head.textContent === "state");
    const rows = [...table.tBodies[0].rows];
    const controls = box.previousElementSibling;
    controls.hidden = false;
    const [search, states, count] = ["input", "select", "output"].map(name => controls.querySelector(name));
    const texts = rows.map(row => [...row.cells].filter(cell => !cell.classList.contains("links")).map(cell => cell.textContent).join(" ").toLowerCase());
    const filter = () => {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      rows.forEach((row, index) => {
        const isMatch = words.every(word => texts[index].includes(word))
          && (states.selectedIndex === 0 || row.cells[column].textContent === states.value);
        row.hidden = !isMatch;
        shown += isMatch;
      });
      count.textContent = `${shown} of ${rows.length} runs`;
    };
    search.addEventListener("input", filter);
    states.addEventListener("change", filter);
    filter();
  }

  // ---- charts
  const colour = name => getComputedStyle(root).getPropertyValue(`--${name}`).trim();
  // What plotly takes for markup is shown as it is.
  const escaped = text => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  const wrapped = (text, width) => {
    const lines = [""];
    for (const word of String(text).split(/(?<=[ ,=_.])/)) {
      for (let piece = word; piece; piece = piece.slice(width)) {
        const part = piece.slice(0, width);
        if (lines.at(-1) && (lines.at(-1) + part).length > width) lines.push("");
        lines[lines.length - 1] += part;
      }
    }
    return lines.map(escaped).join("<br>");
  };
  // The colours of the printed figures, lighter on a dark page; the reference is as black as text.
  const themed = printed => {
    if (printed === "#000000") return colour("ink");
    if (!colour("paper").startsWith("#1")) return printed;
    const part = at => Math.round(parseInt(printed.slice(at, at + 2), 16) * .68 + 255 * .32);
    return `rgb(${part(1)}, ${part(3)}, ${part(5)})`;
  };
  const digits = value => value === null ? "–" : Number(value.toPrecision(4)).toString().replace("-", "−");
  const verdicts = {
    "helps": ["helps", "circle"], "hurts": ["hurts", "x"], "no effect": ["none", "square"], "dispensable": ["none", "diamond"],
    "better": ["helps", "circle"], "worse": ["hurts", "x"], "no difference": ["none", "square"], "not worse": ["none", "diamond"],
    "helps, below the margin": ["none", "triangle-down"], "hurts, below the margin": ["none", "cross"],
    "better, below the margin": ["none", "triangle-down"], "worse, below the margin": ["none", "cross"],
    "undecided": ["open", "circle-open"], "": ["open", "circle-open"],
  };
  const layout = (height, more) => ({
    height, autosize: true, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: {family: getComputedStyle(document.body).fontFamily, size: 13, color: colour("ink")},
    hoverlabel: {bgcolor: colour("soft"), bordercolor: colour("rule"), font: {color: colour("ink")}, align: "left"},
    modebar: {bgcolor: "rgba(0,0,0,0)", color: colour("pale"), activecolor: colour("ink")},
    showlegend: false, dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom", ...more,
  });
  const axis = more => ({gridcolor: colour("rule"), zerolinecolor: colour("pale"), linecolor: colour("rule"), automargin: true, ...more});
  const config = {responsive: true, displaylogo: false, displayModeBar: "hover", modeBarButtonsToRemove: ["select2d", "lasso2d"], showSendToCloud: false, plotGlPixelRatio: 2};
  const options = box => {
    const values = {};
    for (const control of all("[data-option]", box)) {
      values[control.dataset.option] = valueOf(control);
    }
    return values;
  };

  const maxRows = 24;
  const forest = (box, data) => {
    const chosen = options(box), chart = box.querySelector(".chart");
    box.querySelector("[data-needs=many]").hidden = data.rows.length <= maxRows;
    let rows = data.rows.filter(row => row.difference !== null);
    if (!chosen.all && rows.length > maxRows) {
      const size = row => Math.abs(row.difference);
      const smallest = rows.map(size).sort((a, b) => b - a)[maxRows - 1];
      rows = rows.filter(row => size(row) >= smallest).slice(0, maxRows);
    }
    if (!chosen.sorted) rows = [...rows].sort((a, b) => a.place - b.place);
    const width = chart.clientWidth || 600, letters = width < 560 ? 15 : 30;
    const names = rows.map(row => wrapped(row.cell, letters));
    const lines = names.map(name => name.split("<br>").length);
    const style = row => verdicts[row.verdict] || verdicts.undecided;
    const place = rows.map((_, index) => index);
    const traces = [];
    if (chosen.seeds) {
      const seeds = rows.flatMap((row, index) => row.seeds.map(([seed, value], at) => ({
        x: value, y: index + .16 + .16 * (row.seeds.length > 1 ? at / (row.seeds.length - 1) : 0), text: `${escaped(row.cell)}<br>seed ${seed}: ${digits(value)}`,
      })));
      traces.push({
        type: "scatter", mode: "markers", x: seeds.map(seed => seed.x), y: seeds.map(seed => seed.y), hovertext: seeds.map(seed => seed.text), hoverinfo: "text",
        marker: {size: 5, color: "rgba(0,0,0,0)", line: {color: colour("pale"), width: 1}},
      });
    }
    traces.push({
      type: "scatter", mode: "markers", x: rows.map(row => row.difference), y: place, hoverinfo: "text",
      hovertext: rows.map(row => `<b>${escaped(row.cell)}</b>: ${escaped(row.verdict || "open")}<br>${digits(row.difference)} [${digits(row.low)}, ${digits(row.high)}]<br>n = ${row.n}, adjusted p = ${digits(row.p)}`),
      marker: {size: 10, symbol: rows.map(row => style(row)[1]), color: rows.map(row => colour(style(row)[0])), line: {width: 1.5, color: rows.map(row => colour(style(row)[0]))}},
      error_x: {
        type: "data", symmetric: false, thickness: 1.6, width: 4, color: colour("ink"),
        array: rows.map(row => row.high === null ? 0 : row.high - row.difference), arrayminus: rows.map(row => row.low === null ? 0 : row.difference - row.low),
      },
    });
    const better = data.direction === "max" ? "← worse · better →" : "← better · worse →";
    const shapes = data.margin === null ? [] : [{type: "rect", xref: "x", yref: "paper", x0: -data.margin, x1: data.margin, y0: 0, y1: 1, fillcolor: colour("pale"), opacity: .15, line: {width: 0}, layer: "below"}];
    return [traces, layout(90 + 22 * rows.length + 16 * lines.reduce((sum, count) => sum + count, 0), {
      margin: {l: 10, r: 15, t: 10, b: 55}, shapes,
      xaxis: axis({title: {text: `difference in ${escaped(data.metric.replaceAll("_", " "))}<br>${better}`}, zeroline: true, zerolinewidth: 2, rangemode: "tozero"}),
      yaxis: axis({tickvals: place, ticktext: names, range: [rows.length - .4, -.6], showgrid: false, zeroline: false, fixedrange: true, ticks: ""}),
    })];
  };

  const smoothed = (values, weight) => {
    let last = null;
    return values.map(value => value === null ? null : (last = last === null ? value : weight * last + (1 - weight) * value));
  };
  const curves = (box, data) => {
    const chosen = options(box), chart = box.querySelector(".chart"), weight = Number(chosen.smooth);
    box.querySelector("output").textContent = chosen.smooth;
    for (const swatch of all(".swatch", box)) swatch.style.background = themed(swatch.dataset.colour);
    const selected = new Set(all(".cells input", box).filter(input => input.checked).map(input => Number(input.value)));
    const splits = {};
    for (const {column, metric, split} of data.metrics) {
      if (metric === chosen.metric && (split === "train" ? chosen.train || !column.startsWith("train_") && chosen.validation : chosen.validation)) splits[column] = split;
    }
    const colourOf = cell => themed(data.cells[cell].colour);
    const traces = [];
    const dash = (split, cell) => split === "train" && Object.values(splits).some(other => other !== "train") ? "dot" : data.cells[cell].dash;
    if (chosen.single) {
      for (const run of data.runs) {
        if (!selected.has(run.cell)) continue;
        for (const name of Object.keys(splits)) {
          if (run.y[name]) traces.push({
            type: "scatter", mode: "lines", x: run.x, y: smoothed(run.y[name], weight), opacity: .45, line: {color: colourOf(run.cell), width: 1, dash: dash(splits[name], run.cell)},
            hoverinfo: "text", hovertext: run.y[name].map((value, at) => `${escaped(data.cells[run.cell].label)}, seed ${run.seed}<br>${escaped(name)} ${digits(value)} in epoch ${run.x[at]}`),
          });
        }
      }
    }
    for (const line of data.means) {
      if (!selected.has(line.cell) || !(line.metric in splits)) continue;
      const lineColour = colourOf(line.cell), label = escaped(data.cells[line.cell].label);
      if (chosen.band && line.low) {
        const back = [...line.x].reverse();
        traces.push({
          type: "scatter", mode: "lines", x: [...line.x, ...back], y: [...smoothed(line.low, weight), ...smoothed(line.high, weight).reverse()],
          fill: "toself", fillcolor: lineColour, opacity: .1, line: {width: 0, color: lineColour}, hoverinfo: "skip",
        });
      }
      traces.push({
        type: "scatter", mode: line.x.length > 1 ? "lines" : "markers", x: line.x, y: smoothed(line.y, weight), line: {color: lineColour, width: line.cell === 0 ? 2.6 : 1.9, dash: dash(splits[line.metric], line.cell)}, marker: {color: lineColour},
        hoverinfo: "text", hovertext: line.y.map((value, at) => `<b>${label}</b><br>${escaped(line.metric)} ${digits(value)}${line.low ? ` [${digits(line.low[at])}, ${digits(line.high[at])}]` : ""}<br>epoch ${line.x[at]}, n = ${line.n}`),
      });
    }
    // The axes show all means; a band may exceed them, as with few seeds it can dwarf what it surrounds.
    const means = data.means.filter(line => selected.has(line.cell) && line.metric in splits).flatMap(line => line.y).filter(value => value !== null && (!chosen.log || value > 0));
    const scale = value => chosen.log ? Math.log10(value) : value;
    const ends = [Math.min(...means), Math.max(...means)].map(scale), edge = .12 * (ends[1] - ends[0]) || .05 * Math.abs(ends[1]) || 1;
    const range = means.length && !chosen.single ? {range: [ends[0] - edge, ends[1] + edge]} : {autorange: true};
    const epochs = Math.max(...data.means.flatMap(line => line.x), ...data.runs.flatMap(run => run.x), 0);
    return [traces, layout(Math.min(460, Math.max(300, chart.clientWidth * .6)), {
      margin: {l: 10, r: 15, t: 10, b: 45}, hovermode: "closest",
      xaxis: axis({title: {text: "epoch"}, zeroline: false, ...(epochs <= 12 ? {dtick: 1} : {})}),
      yaxis: axis({title: {text: escaped(chosen.metric.replaceAll("_", " "))}, type: chosen.log ? "log" : "linear", zeroline: false, exponentformat: "power", ...range}),
      annotations: traces.length ? [] : [{text: "Nothing is selected.", showarrow: false, xref: "paper", yref: "paper", x: .5, y: .5}],
    })];
  };

  const charts = [];
  const draw = ({box, plot}) => {
    // Choices made before the library is loaded show as soon as it is.
    if (!window.Plotly) return null;
    const place = box.querySelector(".chart");
    place.style.minHeight = "";
    return Plotly.react(place, ...plot(), config);
  };
  const redraw = () => Promise.all(charts.map(draw));
  const isInView = ({box}) => { const {top, bottom} = box.getBoundingClientRect(); return top < innerHeight && bottom > 0; };
  // Nothing waits for a chart that is out of sight.
  const pause = () => new Promise(resolve => { window.requestIdleCallback ? requestIdleCallback(resolve, {timeout: 500}) : setTimeout(resolve, 50); });
  const drawAll = async () => {
    for (const chart of charts.filter(isInView)) await draw(chart);
    root.dataset.ready = "true";
    for (const chart of charts) {
      if (chart.box.querySelector(".chart").childElementCount) continue;
      await pause();
      await draw(chart);
    }
  };
  const prepare = box => {
    const data = JSON.parse(document.getElementById(`${box.dataset.study}-data`).textContent);
    const kind = box.dataset.chart, values = data[kind];
    for (const button of all("[data-cells]", box)) {
      button.addEventListener("click", () => {
        for (const input of all(".cells input", box)) {
          input.checked = {all: true, none: false, first: input.defaultChecked}[button.dataset.cells];
        }
        draw(chart);
      });
    }
    box.hidden = false;
    const chart = {box, plot: () => (kind === "forest" ? forest : curves)(box, values)};
    charts.push(chart);
    box.addEventListener("input", () => draw(chart));
    // Its height is reserved, so that nothing below moves when it is drawn.
    box.querySelector(".chart").style.minHeight = `${chart.plot()[1].height}px`;
  };
  const unpackLibrary = async () => {
    const base64 = JSON.parse(document.getElementById("library").textContent);
    const packed = Uint8Array.from(atob(base64), letter => letter.charCodeAt(0));
    return new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  };
  const start = async () => {
    all("[data-chart]").forEach(prepare);
    if (saved.scroll) scrollTo(0, saved.scroll);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
    matchMedia("print").addEventListener("change", redraw);
    // Paper has nothing to click on: what is folded away is printed too.
    let folded = [];
    addEventListener("beforeprint", () => { folded = all("details:not([open])"); folded.forEach(part => { part.open = true; }); });
    addEventListener("afterprint", () => { folded.forEach(part => { part.open = false; }); folded = []; });
    let last = innerWidth;
    addEventListener("resize", () => { if (Math.abs(innerWidth - last) > 40) { last = innerWidth; redraw(); } });
    const script = document.createElement("script");
    script.textContent = await unpackLibrary();
    document.head.append(script);
    await drawAll();
  };
  if (saved.scroll) { history.scrollRestoration = "manual"; scrollTo(0, saved.scroll); }

  // ---- while the study runs
  const seconds = Number(document.body.dataset.live);
  if (seconds) {
    addEventListener("pagehide", () => stored(session, storageKey, {...saved, scroll: scrollY, controls: controls.map(valueOf)}));
    const reload = () => {
      // Not while a reader uses the page.
      if (document.hidden || document.activeElement?.matches("input, select") || document.querySelector(".chart:hover")) return;
      location.reload();
    };
    setInterval(reload, 1000 * seconds);
  } else if (saved.scroll) stored(session, storageKey, {...saved, scroll: 0});
  start();
})();
