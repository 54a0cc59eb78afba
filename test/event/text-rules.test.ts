import * as assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import {
  isJsonType,
  isMediaType,
  isUri,
  isUriReference,
  isUtf8Charset,
  isUtf8TextType,
  stringFault,
} from '../../src/event/text-rules.ts';

describe('URIs (RFC 3986)', () => {
  const absolute = [
    'http://example.com/s.json',
    'https://user:pw@example.com:8080/a//b/?q=1/2?#f/?',
    'urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66',
    'mailto:a@b.c',
    'file:///etc/hosts',
    'x:',
    'x:/',
    'x://',
    'http://[2001:db8::7]/c=GB?objectClass?one',
    'http://[::]:80/',
    'http://[::ffff:192.0.2.1]/',
    'http://[1:2:3:4:5:6:7:8]/',
    'http://[v1.fe80::a+en1]/',
    'http://%41.example/%20',
    'a+b-c.d:x',
  ];
  const relative = [
    '/s',
    'a/b',
    '.',
    '..',
    './a:b',
    '?q',
    '#f',
    '//host/path',
    'a;b=c',
    '/a:b',
    '@',
    '/',
  ];
  const neither = [
    '',
    ' ',
    '/a b',
    'a b',
    '/Zürich',
    '/a\u0000',
    '/a\n',
    '%',
    '/%4',
    '/%zz',
    '1a:b',
    ':a',
    'http://[::1',
    'http://[1:2:3]/',
    'http://[1::2::3]/',
    'http://[12345::]/',
    'http://[1:2:3:4:5:6:7:8:9]/',
    'http://[::1:2:3:4:5:6:7:8]/',
    'http://[::256.0.0.1]/',
    'http://[g::]/',
    'http://host:80a/',
    '/[a]',
    '/a#b#c',
    '/<x>',
    '/"',
    '/\\',
    '/^',
    '/`',
    '/{x}',
    '/|',
  ];

  it('are told from relative references and from neither', () => {
    for (const text of absolute) assert.ok(isUri(text) && isUriReference(text), text);
    for (const text of relative) assert.ok(!isUri(text) && isUriReference(text), text);
    for (const text of neither)
      assert.ok(!isUri(text) && !isUriReference(text), JSON.stringify(text));
  });

  it('are judged in time that grows with their length alone', () => {
    const hard = ['/a', 'a', '/a/', 'a@', '%41', ':', 'a:', '/..', '[', 'x://a@b@'];
    for (const part of hard) {
      const text = part.repeat(60_000 / part.length);
      const before = process.hrtime.bigint();
      isUriReference(`${text} `);
      isUri(`x:${text} `);
      isUri(`x://${text} `);
      assert.ok(process.hrtime.bigint() - before < 2_000_000_000n, part);
    }
  });

  it('agree with the URL of the platform on what it takes without change', () => {
    fc.assert(
      fc.property(fc.webUrl({ withQueryParameters: true, withFragments: true }), (url) => {
        assert.ok(isUri(url), url);
      }),
    );
  });
});

describe('media types (RFC 9110)', () => {
  it('have a type, a subtype and parameters', () => {
    const sound = [
      'application/json',
      'text/plain; charset=utf-8',
      'text/plain ;charset="utf-8"',
      'text/plain;',
      'multipart/mixed; boundary="a;b\\"c"; x=y',
      'application/vnd.a-b.c+json',
    ];
    const unsound = [
      '',
      'json',
      '/json',
      'a/',
      'a/b/c',
      'a b/c',
      'a/b; c',
      'a/b; c=',
      'a/b; c="',
      'ä/b',
      'a/b x',
    ];
    for (const text of sound) assert.ok(isMediaType(text), text);
    for (const text of unsound) assert.ok(!isMediaType(text), text);
  });

  it('are JSON by their subtype alone', () => {
    const json = [
      undefined,
      'application/json',
      'Text/JSON',
      'a/b+json',
      'A/B+JSON; x=1',
      'a/json ;x=1',
    ];
    for (const type of json) assert.ok(isJsonType(type), type);
    for (const type of [
      'text/plain',
      'json/x',
      'a/jsonx',
      'a/b; x="+json"',
      'a/ndjson',
      'a/json+x',
    ])
      assert.ok(!isJsonType(type), type);
  });

  it('are text in HTTP where UTF-8 holds their charset', () => {
    for (const type of [
      'text/plain',
      'TEXT/CSV; charset="UTF-8"',
      'application/xml',
      'image/svg+xml; charset=us-ascii',
    ])
      assert.ok(isUtf8TextType(type), type);
    for (const type of [
      'text/plain; charset=latin1',
      'application/octet-stream',
      'application/xmlx',
      'a/b; c=text/x',
    ])
      assert.ok(!isUtf8TextType(type), type);
    assert.ok(!isUtf8Charset('application/json;charset=utf-16'));
  });
});

function isNoncharacter(code: number): boolean {
  return (code >= 0xfdd0 && code <= 0xfdef) || (code & 0xfffe) === 0xfffe;
}

describe('the characters of a String', () => {
  it('are all of Unicode but controls, noncharacters and lone surrogates', () => {
    for (let code = 0; code <= 0x10ffff; code++) {
      const expected =
        code < 0x20 || (code >= 0x7f && code <= 0x9f)
          ? 'attribute-control-character'
          : code >= 0xd800 && code <= 0xdfff
            ? 'lone-surrogate'
            : isNoncharacter(code)
              ? 'attribute-noncharacter'
              : undefined;
      const found = stringFault(String.fromCodePoint(code));
      if (found !== expected) assert.equal(found, expected, code.toString(16));
    }
  });
});
