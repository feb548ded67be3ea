// Asks DuckDB each question of a file of JSON strings and prints the rows of each as one line of JSON: ask.cjs MODULES QUESTIONS
const { createRequire } = require('node:module');
const { readFileSync } = require('node:fs');
const { DuckDBInstance } = createRequire(process.argv[2] + '/')('@duckdb/node-api');

(async () => {
  const db = await (await DuckDBInstance.create(':memory:')).connect();
  for (const question of JSON.parse(readFileSync(process.argv[3], 'utf8'))) {
    const answer = await db.runAndReadAll(question);
    console.log(JSON.stringify(answer.getRowsJson()));
  }
})().catch((err) => { console.error(String(err)); process.exit(1); });
