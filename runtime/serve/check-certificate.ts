import { createPrivateKey, X509Certificate } from "node:crypto";
import { SidecanaryError } from "../errors.ts";

/**
 * Makes sure that a certificate and its key are ones, and belong together; a server of Deno would
 * find out at the first client only.
 *
 * @throws SidecanaryError `config-invalid` with nothing of the key in it
 */
export function checkCertificate(tls: { readonly cert: string; readonly key: string }): void {
  let fits: boolean;
  try {
    fits = new X509Certificate(tls.cert).checkPrivateKey(createPrivateKey(tls.key));
  } catch (error) {
    throw new SidecanaryError(
      "config-invalid",
      "The certificate or its private key is no PEM file that can be read.",
      { path: "--tls-cert" },
      error,
    );
  }
  if (fits) return;
  throw new SidecanaryError(
    "config-invalid",
    "The private key is not the one of the certificate.",
    { path: "--tls-key" },
  );
}
