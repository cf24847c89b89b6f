"use strict";

const TRADES_SHOWN = 25;
const LEADERS_SHOWN = 25;
const REFRESH_MS = 1000;
const PARTS_MS = 750;
const COUNTDOWN_MS = 500;
const LONGEST_WAIT_MS = 10000;

const { gatewayUrl, gatewayPort } = document.body.dataset;
const gateway = gatewayUrl || `${location.protocol}//${location.hostname}:${gatewayPort}`;
const prices = new Map();
const rows = new Map();
const stateNames = { pre_open: "pre-open" };
let chosen = null;
let tradesAreOld = true;
let pricesAreKnown = false;
let connected = false;
let away = []; // one sentence for each part of the exchange that is not at work
let aheadMs = 0; // how far the exchange's clock is ahead of this one

const money = new Intl.NumberFormat("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 4 });
const whole = new Intl.NumberFormat("en-US");
const rounded = { minimumFractionDigits: 2, maximumFractionDigits: 2, roundingMode: "halfEven" };
const percent = new Intl.NumberFormat("en-US", {
  ...rounded, style: "percent", signDisplay: "exceptZero",
});
const cents = new Intl.NumberFormat("en-US", rounded);
const signed = new Intl.NumberFormat("en-US", { ...rounded, signDisplay: "exceptZero" });

const find = (id) => document.getElementById(id);
const amount = (value) => (value === null ? "–" : money.format(value));
const clock = (timestamp) => new Date(timestamp).toLocaleTimeString("en-GB");
const direction = (value) => (value > 0 ? "up" : value < 0 ? "down" : "");

function timeLeft(until) {
  const seconds = Math.max(0, Math.round((new Date(until) - Date.now() - aheadMs) / 1000));
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  if (!parts[0]) parts.shift();
  return parts.map((part, index) => (index ? String(part).padStart(2, "0") : part)).join(":");
}

function callText(price) {
  if (price.indicative_price === null) return "Nothing would trade yet.";
  const rest = whole.format(Math.abs(price.surplus));
  const surplus = price.surplus > 0 ? `${rest} more wanted` : price.surplus < 0 ? `${rest} more offered` : "no surplus";
  return `Would trade ${whole.format(price.indicative_quantity)} at ${money.format(price.indicative_price)}, ${surplus}.`;
}

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
  const kinds = [
    "state", "number wide", "number", "number", "number wide", "number", "number wide", "number wide quiet",
  ];
  const line = row(cell(security, "", "th"), ...kinds.map((kind) => cell("", kind)));
  const [badge, until] = [cell("", "badge", "span"), cell("", "until", "span")];
  line.cells[1].append(badge, until);
  const call = row(cell(""), cell("", "quiet"));
  call.className = "call";
  call.cells[1].colSpan = line.cells.length - 1;
  const next = [...rows.keys()].sort().find((other) => other > security);
  find("prices").tBodies[0].append(line, call);
  if (next) rows.get(next).line.before(line, call);
  rows.set(security, { line, badge, until, call });
  return rows.get(security);
}

function setText(element, text) {
  if (element.textContent === text) return false;
  element.textContent = text;
  return true;
}

function showState(price, { line, badge, until, call }) {
  badge.className = `badge ${price.state}`;
  setText(badge, price.auction ? `${price.auction} auction` : stateNames[price.state] || price.state);
  setText(until, price.until === null ? "" : timeLeft(price.until));
  call.hidden = price.state !== "auction";
  setText(call.cells[1], callText(price));
}

function showPrice(price) {
  const before = prices.get(price.security_id);
  prices.set(price.security_id, price);
  const shown = rows.get(price.security_id) || newPriceRow(price.security_id);
  showState(price, shown);
  const [bidQuantity, bid, ask, askQuantity, last, volume, changed] = [...shown.line.cells].slice(2);
  setText(bidQuantity, price.bid === null ? "–" : whole.format(price.bid_quantity));
  setText(askQuantity, price.ask === null ? "–" : whole.format(price.ask_quantity));
  setText(volume, whole.format(price.volume));
  setText(changed, clock(price.timestamp));
  for (const [element, value] of [[bid, price.bid], [ask, price.ask], [last, price.last]]) {
    if (!setText(element, amount(value)) || !before) continue;
    element.classList.remove("flash");
    requestAnimationFrame(() => element.classList.add("flash"));
  }
  if (before && before.last !== null && price.last !== before.last) {
    last.classList.remove("up", "down");
    last.classList.add(direction(price.last - before.last));
  }
  if (!before) showChoice();
  if (!before || before.volume !== price.volume) tradesAreOld = true;
  showEmpty("prices-empty", false);
}

function showTimeLeft() {
  for (const [security, price] of prices) {
    if (price.until !== null) setText(rows.get(security).until, timeLeft(price.until));
  }
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
  aheadMs = new Date(response.headers.get("Date")) - Date.now();
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
    const taker = { buy: "buyer", sell: "seller" }[trade.aggressor_side] || "auction";
    const color = { buyer: "up", seller: "down", auction: "auction" }[taker];
    return row(
      cell(clock(trade.timestamp), "quiet"),
      cell(trade.security_id, "", "th"),
      cell(taker, color),
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

function showConnection() {
  const live = connected && away.length === 0;
  find("connection").className = live ? "live" : "waiting";
  setText(find("connection"), live ? "live" : connected ? "not live" : "not connected, trying again …");
  find("away").hidden = away.length === 0;
  setText(find("away"), `Not at work: ${away.join(" ")}`);
}

async function showParts() {
  try {
    const options = { cache: "no-store", signal: AbortSignal.timeout(PARTS_MS) };
    const status = await (await fetch("readyz", options)).json();
    const told = status.exchange || { market_data_feed: "is starting" };
    away = Object.entries(told).filter(([, state]) => state !== "ok")
      .map(([name, state]) => `${name.replaceAll("_", " ")}: ${state}.`);
  } catch {
    away = ["market data feed: does not answer."];
  }
  showConnection();
  setTimeout(showParts, PARTS_MS);
}

function connect(wait = 500) {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(`${scheme}//${location.host}/stream/price`);
  let next = Math.min(wait * 2, LONGEST_WAIT_MS);
  socket.addEventListener("open", () => {
    next = 500;
    connected = true;
    showConnection();
  });
  socket.addEventListener("message", (message) => {
    const content = JSON.parse(message.data);
    if (!content.error) showPrice(content);
  });
  socket.addEventListener("close", () => {
    connected = false;
    showConnection();
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
showParts();
setInterval(showTimeLeft, COUNTDOWN_MS);
