"use strict";

const TRADES_SHOWN = 25;
const LEADERS_SHOWN = 25;
const REFRESH_MS = 1000;
const LONGEST_WAIT_MS = 10000;

const gateway = document.body.dataset.gateway || `${location.protocol}//${location.hostname}:2400`;
const prices = new Map();
const rows = new Map();
let chosen = null;
let tradesAreOld = true;
let pricesAreKnown = false;

const money = new Intl.NumberFormat("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 4 });
const whole = new Intl.NumberFormat("en-US");
const percent = new Intl.NumberFormat("en-US", {
  style: "percent", minimumFractionDigits: 2, signDisplay: "exceptZero",
});
const cents = new Intl.NumberFormat("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const signed = new Intl.NumberFormat("en-US", {
  minimumFractionDigits: 2, maximumFractionDigits: 2, signDisplay: "exceptZero",
});

const find = (id) => document.getElementById(id);
const amount = (value) => (value === null ? "–" : money.format(value));
const clock = (timestamp) => new Date(timestamp).toLocaleTimeString("en-GB");
const direction = (value) => (value > 0 ? "up" : value < 0 ? "down" : "");

function cell(text, kind = "", name = "td") {
  const element = document.createElement(name);
  element.textContent = text;
  element.className = kind;
  if (name === "th") element.scope = "row";
  return element;
}

function row(...cells) {
  const element = document.createElement("tr");
  element.append(...cells);
  return element;
}

function showEmpty(id, empty) {
  find(id).hidden = !empty;
  find(id.replace("-empty", "")).hidden = empty;
}

function newPriceRow(security) {
  const kinds = ["number wide", "number", "number", "number wide", "number", "number", "number wide quiet"];
  const element = row(cell(security, "", "th"), ...kinds.map((kind) => cell("", kind)));
  const table = find("prices").tBodies[0];
  const next = [...rows.keys()].sort().find((other) => other > security);
  table.insertBefore(element, next ? rows.get(next) : null);
  rows.set(security, element);
  return element;
}

function showPrice(price) {
  const before = prices.get(price.security_id);
  prices.set(price.security_id, price);
  const cells = (rows.get(price.security_id) || newPriceRow(price.security_id)).cells;
  const texts = [
    price.bid === null ? "–" : whole.format(price.bid_quantity), amount(price.bid),
    amount(price.ask), price.ask === null ? "–" : whole.format(price.ask_quantity),
    amount(price.last), whole.format(price.volume), clock(price.timestamp),
  ];
  texts.forEach((text, index) => {
    const shown = cells[index + 1];
    if (shown.textContent === text) return;
    const flashes = before && index >= 1 && index <= 4 && index !== 3;
    shown.textContent = text;
    if (flashes) {
      shown.classList.remove("flash");
      requestAnimationFrame(() => shown.classList.add("flash"));
    }
  });
  if (before && before.last !== null && price.last !== before.last) {
    cells[5].classList.remove("up", "down");
    cells[5].classList.add(direction(price.last - before.last));
  }
  if (!before) showChoice();
  if (!before || before.volume !== price.volume) tradesAreOld = true;
  showEmpty("prices-empty", false);
}

function showChoice() {
  const names = [...prices.keys()].sort();
  find("choice").replaceChildren(...[null, ...names].map((name) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = name || "All";
    button.setAttribute("aria-pressed", String(name === chosen));
    button.addEventListener("click", () => {
      chosen = name;
      tradesAreOld = true;
      showChoice();
      refresh();
    });
    return button;
  }));
}

async function read(path) {
  const response = await fetch(path, { cache: "no-store" });
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return response.json();
}

async function showSecurities() {
  if (pricesAreKnown) return;
  const listed = await read("securities");
  for (const price of listed) if (!prices.has(price.security_id)) showPrice(price);
  pricesAreKnown = true;
  showEmpty("prices-empty", prices.size === 0);
}

async function showTrades() {
  if (!tradesAreOld) return;
  tradesAreOld = false;
  const wanted = chosen;
  const names = wanted ? [wanted] : [...prices.values()].filter((p) => p.volume).map((p) => p.security_id);
  const lists = await Promise.all(names.map((name) => read(`trades/${name}?limit=${TRADES_SHOWN}`)));
  if (wanted !== chosen) return;
  const trades = lists.flat().sort((a, b) => b.seq - a.seq).slice(0, TRADES_SHOWN);
  find("trades").tBodies[0].replaceChildren(...trades.map((trade) => {
    const bought = trade.aggressor_side === "buy";
    const color = bought ? "up" : "down";
    return row(
      cell(clock(trade.timestamp), "quiet"),
      cell(trade.security_id, "", "th"),
      cell(bought ? "buyer" : "seller", `wide ${color}`),
      cell(whole.format(trade.quantity), "number"),
      cell(amount(trade.price), `number ${color}`),
    );
  }));
  showEmpty("trades-empty", trades.length === 0);
  find("howto").hidden = trades.length !== 0;
}

async function showLeaders() {
  const leaders = await read(`leaderboard?limit=${LEADERS_SHOWN}`);
  find("leaders").tBodies[0].replaceChildren(...leaders.map((leader) => row(
    cell(leader.rank, "number quiet"),
    cell(leader.client_id, "", "th"),
    cell(cents.format(leader.equity), "number"),
    cell(signed.format(leader.profit), `number ${direction(leader.profit)}`),
    cell(leader.return === null ? "–" : percent.format(leader.return), `number wide ${direction(leader.return)}`),
    cell(whole.format(leader.trades), "number wide"),
    cell(whole.format(leader.volume), "number wide"),
  )));
  showEmpty("leaders-empty", leaders.length === 0);
}

async function refresh() {
  try {
    await showSecurities();
    await Promise.all([showTrades(), showLeaders()]);
  } catch {
    tradesAreOld = true;
  }
}

async function keepRefreshing() {
  if (!document.hidden) await refresh();
  setTimeout(keepRefreshing, REFRESH_MS);
}

function showConnection(live, text) {
  find("connection").className = live ? "live" : "waiting";
  find("connection").textContent = text;
}

function connect(wait = 500) {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(`${scheme}//${location.host}/stream/price`);
  let next = Math.min(wait * 2, LONGEST_WAIT_MS);
  socket.addEventListener("open", () => {
    next = 500;
    showConnection(true, "live");
  });
  socket.addEventListener("message", (message) => {
    const content = JSON.parse(message.data);
    if (!content.error) showPrice(content);
  });
  socket.addEventListener("close", () => {
    showConnection(false, "not connected, trying again …");
    setTimeout(() => connect(next), wait);
  });
}

find("gateway-docs").href = `${gateway}/docs`;
for (const link of document.querySelectorAll(".gateway-docs")) link.href = `${gateway}/docs`;
find("howto").textContent = [
  "# open an account: the answer has your API key",
  `curl ${gateway}/clients --json '{"client_id": "me"}'`,
  "",
  "# sell ten of your shares",
  `curl ${gateway}/orders -H 'Authorization: Bearer <api_key>' \\`,
  `  --json '{"security_id": "MSFT", "side": "sell", "type": "limit", "quantity": 10, "price": 420}'`,
].join("\n");
connect();
keepRefreshing();
