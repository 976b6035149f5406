/**
 * Transfers as somebody writes them by hand: Node.js, its own SQLite, each transfer durable before it is
 * answered. `node hand_written.mjs PORT FILE ACCOUNTS`
 */
import { createServer } from "node:http";
import { DatabaseSync } from "node:sqlite";

const [port, file, accounts] = process.argv.slice(2);
const db = new DatabaseSync(file);
db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
db.exec("CREATE TABLE accounts (id INTEGER PRIMARY KEY, number INTEGER NOT NULL, balance REAL NOT NULL)");
db.exec("CREATE UNIQUE INDEX by_number ON accounts (number)");
db.exec("BEGIN");
const open = db.prepare("INSERT INTO accounts (number, balance) VALUES (?, 1000)");
for (let number = 0; number < Number(accounts); number++) open.run(number);
db.exec("COMMIT");
const find = db.prepare("SELECT id, balance FROM accounts WHERE number = ?");
const set = db.prepare("UPDATE accounts SET balance = ? WHERE id = ?");
const total = db.prepare("SELECT sum(balance) AS total FROM accounts");

function transfer({ from, to, amount }) {
  db.exec("BEGIN IMMEDIATE");
  try {
    const payer = find.get(from);
    const payee = find.get(to);
    set.run(payer.balance - amount, payer.id);
    set.run(payee.balance + amount, payee.id);
    db.exec("COMMIT");
  } catch (error) {
    db.exec("ROLLBACK");
    throw error;
  }
}

createServer((request, response) => {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    let status = 200;
    let answer = {};
    try {
      if (request.url === "/total") answer = total.get();
      else transfer(JSON.parse(Buffer.concat(parts).toString()));
    } catch (error) {
      status = 500;
      answer = { error: String(error) };
    }
    response.writeHead(status, { "Content-Type": "application/json" });
    response.end(JSON.stringify(answer));
  });
}).listen(Number(port), "127.0.0.1");
