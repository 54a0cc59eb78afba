/**
 * The certificate and key of `http.tls`: read once at the start, so that what is wrong with them is
 * said with the file it is in, before anything listens.
 */
import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fault } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import type { TimeMs } from '../types.ts';
import type { Config } from './config-schema.ts';
import { fileFault, readText } from './files.ts';
import type { TlsFiles } from './http/raw-server.ts';
import type { Check } from './node-api.ts';

export interface LoadedTls extends TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
  /** Of the first certificate of the file, as milliseconds since 1970. */
  readonly notBefore: number;
  readonly notAfter: number;
}

/** Warned of so long before the certificate expires. */
const soonMs = 14 * 86_400_000;

/**
 * Paths are taken from the folder of config.yaml. Undefined where there is no `http.tls`. Codes:
 * `tls-file` (unreadable, or no PEM; the place names the file), `tls-mismatch`. An expired
 * certificate loads: `tlsFinding` tells of it.
 */
export async function loadTls(
  config: Pick<Config, 'http'>,
  folder: string,
): Promise<Result<LoadedTls | undefined>> {
  const { tls } = config.http;
  if (tls === undefined) return ok(undefined);
  if (tls.cert === undefined || tls.key === undefined) {
    const [there, missing] = tls.key === undefined ? ['cert', 'key'] : ['key', 'cert'];
    const place = { file: resolve(folder, 'config.yaml'), pointer: `http.tls.${missing}` };
    return err(fault('tls-file', `http.tls.${there} needs http.tls.${missing}`, place));
  }
  const [certFile, keyFile] = [resolve(folder, tls.cert), resolve(folder, tls.key)];
  const cert = await pem(certFile, 'certificate', (text) => new X509Certificate(text));
  if (!cert.ok) return cert;
  const key = await pem(keyFile, 'private key', createPrivateKey);
  if (!key.ok) return key;
  const [certText, certificate] = cert.value;
  const [keyText, privateKey] = key.value;
  if (!fits(certificate, privateKey)) {
    const message = `the key does not belong to the certificate ${certFile}`;
    return err(fault('tls-mismatch', message, { file: keyFile, pointer: 'http.tls.key' }));
  }
  const [notBefore, notAfter] = [certificate.validFromDate, certificate.validToDate];
  return ok({
    cert: certText,
    key: keyText,
    certFile,
    keyFile,
    notBefore: notBefore.getTime(),
    notAfter: notAfter.getTime(),
  });
}

async function pem<T>(
  file: string,
  what: string,
  parse: (text: string) => T,
): Promise<Result<readonly [string, T]>> {
  const pointer = what === 'certificate' ? 'http.tls.cert' : 'http.tls.key';
  const text = await readText(file);
  if (!text.ok) return err(fault('tls-file', text.error.message, { file, pointer }));
  try {
    return ok([text.value, parse(text.value)]);
  } catch {
    // What the library says of a key could quote it.
    return err(fault('tls-file', `${file} holds no ${what} in PEM`, { file, pointer }));
  }
}

function fits(certificate: X509Certificate, key: KeyObject): boolean {
  try {
    return certificate.checkPrivateKey(key);
  } catch {
    return false;
  }
}

/** What is to be said of a certificate now, for `hw doctor`. */
export function tlsFinding(
  { certFile, notBefore, notAfter }: LoadedTls,
  now: TimeMs,
): Omit<Check, 'since'> {
  const hint = 'Renew the certificate and start the node again.';
  const wrong = (level: 'warning' | 'error', reason: string): Omit<Check, 'since'> => ({
    name: 'tls',
    ok: false,
    level,
    reason,
    hint,
  });
  if (now > notAfter) return wrong('error', `the certificate ${certFile} has expired`);
  if (now < notBefore) return wrong('error', `the certificate ${certFile} is not valid yet`);
  if (now > notAfter - soonMs) {
    const days = Math.ceil((notAfter - now) / 86_400_000);
    return wrong('warning', `the certificate ${certFile} expires in ${days} days`);
  }
  return { name: 'tls', ok: true, level: 'ok' };
}

/** A key that everybody on the machine can read; `key-file-mode` with the file. */
export async function tlsKeyMode({ keyFile }: Pick<LoadedTls, 'keyFile'>): Promise<Result<void>> {
  try {
    const { mode } = await stat(keyFile);
    if ((mode & 0o007) === 0) return ok(undefined);
    return err(fault('key-file-mode', `${keyFile} can be read by everybody`, { file: keyFile }));
  } catch (cause) {
    return err(fileFault('file-unreadable', keyFile, cause));
  }
}
