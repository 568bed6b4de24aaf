// What the deployed board promises.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { before, test } from 'node:test';

import { deployed, eventually } from '../../testing.mjs';

const { request } = await deployed('single-table');
const run = randomUUID().slice(0, 8);
const [red, blue, ada, bob] = ['red', 'blue', 'ada', 'bob'].map((name) => `${name}-${run}`);
const titles = ({ body }) => body.tasks.map(({ title }) => title);

before(async () => {
  for (const team of [red, blue]) assert.equal((await request('PUT', `/teams/${team}`)).status, 201);
  for (const [team, user] of [[red, ada], [red, bob], [blue, ada]]) {
    assert.equal((await request('PUT', `/teams/${team}/members/${user}`)).status, 201);
  }
});

test('a team is made once, and joined once it is made', async () => {
  assert.equal((await request('PUT', `/teams/${red}`)).status, 409);
  assert.equal((await request('PUT', `/teams/none-${run}/members/${ada}`)).status, 404);
  assert.equal((await request('GET', `/teams/none-${run}`)).status, 404);
});

test('a person has the open tasks of all teams, what is due first', async () => {
  const add = async (team, user, due, title) => {
    const { status, body } = await request('POST', `/teams/${team}/tasks`, { title, user, due });
    assert.equal(status, 201);
    return body.id;
  };
  await add(red, ada, '2026-07-02', 'second');
  const first = await add(blue, ada, '2026-06-30', 'first');
  await add(red, ada, '2026-08-01', 'last');
  await add(red, bob, '2026-01-01', 'not mine');
  // An index follows its table a moment later.
  const everything = await eventually(async () => {
    const person = await request('GET', `/people/${ada}`);
    return person.body.tasks.length === 3 && person;
  }, 'three tasks');
  assert.deepEqual(titles(everything), ['first', 'second', 'last']);
  assert.deepEqual(everything.body.teams, [blue, red]);
  const soon = await request('GET', `/people/${ada}?before=2026-07-31`);
  assert.deepEqual(titles(soon), ['first', 'second']);

  const team = await request('GET', `/teams/${red}`);
  assert.deepEqual(team.body.members, [ada, bob]);
  assert.deepEqual(titles(team).sort(), ['last', 'not mine', 'second']);

  // Done once: it leaves the index, and stays in its team.
  const done = `/teams/${blue}/tasks/${first}/done`;
  const statuses = await Promise.all([1, 2, 3].map(() => request('POST', done)));
  assert.deepEqual(statuses.map(({ status }) => status).sort(), [200, 409, 409]);
  await eventually(async () => {
    const person = await request('GET', `/people/${ada}`);
    return person.body.tasks.length === 2 && !titles(person).includes('first');
  }, 'two tasks');
  const [task] = (await request('GET', `/teams/${blue}`)).body.tasks;
  assert.equal(task.status, 'done');
});

test('a task is for a member', async () => {
  const task = { title: 'paint', user: bob, due: '2026-07-01' };
  assert.equal((await request('POST', `/teams/${blue}/tasks`, task)).status, 422);
  assert.equal((await request('POST', `/teams/${blue}/tasks`, { title: 'paint' })).status, 400);
  const { body } = await request('GET', `/teams/${blue}`);
  assert.ok(body.tasks.every(({ title }) => title !== 'paint'));
});
