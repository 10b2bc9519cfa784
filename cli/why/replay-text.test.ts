import { renderReplay } from './replay-text';

const STYLE = { color: false, width: 100 };

it('shows what comes out differently, and counts what does not', () => {
  const status = {
    ...{ replayed: 5, same: 3, rescored: 1, rejudged: 2, warnings: [] },
    differences: [
      {
        ...{ pod: 'default/web-1', attempt: 1, time: '2026-11-25T02:41:24.123456Z' },
        was: { nodeName: 'n1', nodesFeasible: 2, total: 300 },
        now: {
          nodeName: 'n2',
          nodesFeasible: 2,
          total: 280,
          margin: 7,
          decidedBy: 'ImageLocality',
        },
      },
    ],
  };
  expect(renderReplay(status, STYLE)).toBe(
    `TIME                  POD             TRY   WAS        NOW        WHY
2026-11-25 02:41:24   default/web-1   1     n1 (300)   n2 (280)   ImageLocality, +7
and 1 more
3 of 5 decisions come out the same, 1 of them with other scores, 2 of them for other reasons, 2 differently
`,
  );
  const same = { replayed: 1, same: 1, rescored: 0, rejudged: 0, differences: [], warnings: [] };
  expect(renderReplay(same, STYLE)).toBe('1 of 1 decision comes out the same\n');
});
