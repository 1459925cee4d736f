// Draws every chart of the page with Vega, as wide as its place; no network, no eval.
"use strict";
(function () {
  const own = (module) => inoculaModules.get(module);
  Object.assign(own("vega-dataflow").transforms, own("vega-transforms"), own("vega-view-transforms"), own("vega-encode"));

  const ink = "currentColor";
  const config = {
    axis: {
      domainColor: ink, tickColor: ink, labelColor: ink, titleColor: ink, gridColor: ink, gridOpacity: 0.15,
      labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal", titlePadding: 8,
    },
    legend: { labelColor: ink, titleColor: ink, labelFontSize: 12, symbolStrokeWidth: 2 },
  };

  const figures = [...document.querySelectorAll("figure.chart")];
  const views = new Map();

  async function draw(figure) {
    const plot = figure.querySelector(".plot");
    const width = Math.floor(plot.clientWidth);
    if (width === 0) return; // inside something closed; drawn once it opens
    let view = views.get(figure);
    if (!view) {
      const spec = JSON.parse(figure.querySelector("script").textContent);
      const program = own("vega-parser").parse(spec, config, { ast: true });
      view = new (own("vega-view").View)(program, {
        renderer: "svg", container: plot, hover: false, expr: own("vega-interpreter").expressionInterpreter,
        logLevel: own("vega-util").Warn,
      });
      views.set(figure, view);
    }
    await view.width(width).runAsync();
    figure.dataset.drawn = "yes";
  }

  async function drawAll() {
    for (const figure of figures) {
      try {
        await draw(figure);
      } catch (error) {
        figure.querySelector(".plot").textContent = "This chart cannot be drawn; its numbers are in the CSV.";
        console.error(error);
      }
    }
    document.body.dataset.drawn = String(figures.filter((f) => f.dataset.drawn).length);
  }

  let waiting = 0;
  window.addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(drawAll, 100);
  });
  document.addEventListener("toggle", drawAll, true);
  window.addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("details")) details.open = true;
  });
  drawAll();
})();
