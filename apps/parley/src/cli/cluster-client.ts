// The operators' API as the commands use it: one question to one node.
import { Metadata, type ServiceError } from "@grpc/grpc-js";
import { channelSecurity, hostOf, type TlsOptions } from "@parley/client/grpc";
import {
  ParleyError,
  type StateHashResponse,
  type StatusResponse,
  Error as WireError,
} from "@parley/protocol";
import { ClusterClient } from "@parley/protocol/services";

export interface AskOptions {
  readonly timeoutMs: number;
  /** Needed where the server listens beyond loopback. */
  readonly token?: string | undefined;
  /** Left out: plain text. */
  readonly tls?: TlsOptions | undefined;
}

const CHANNEL_OPTIONS = {
  "grpc.enable_http_proxy": 0,
  "grpc.enable_channelz": 0,
  "grpc.enable_retries": 0,
  "grpc.service_config_disable_resolution": 1,
  "grpc.use_local_subchannel_pool": 1,
};

/** The server's own error where it sent one, else what the transport says. */
export function errorOf(error: ServiceError, address: string): Error {
  const encoded = error.metadata?.get("parley-error-bin")[0];
  if (Buffer.isBuffer(encoded)) return ParleyError.fromWire(WireError.decode(encoded));
  return new Error(`${address} does not answer (${error.details})`);
}

export type Method<Response> = (
  client: ClusterClient,
  metadata: Metadata,
  deadline: { deadline: number },
  callback: (error: ServiceError | null, response: Response) => void,
) => void;

/** Rejects with the server's ParleyError, or an Error that says that nobody answers. */
export function ask<Response>(
  address: string,
  options: AskOptions,
  method: Method<Response>,
): Promise<Response> {
  const { credentials, options: security } = channelSecurity(hostOf(address), options.tls);
  const client = new ClusterClient(address, credentials, { ...CHANNEL_OPTIONS, ...security });
  const metadata = new Metadata();
  if (options.token !== undefined && options.token !== "") {
    metadata.set("authorization", `Bearer ${options.token}`);
  }
  return new Promise((resolve, reject) => {
    method(client, metadata, { deadline: Date.now() + options.timeoutMs }, (error, response) => {
      client.close();
      if (error === null) resolve(response);
      else reject(errorOf(error, address));
    });
  });
}

export function askStatus(address: string, options: AskOptions): Promise<StatusResponse> {
  return ask(address, options, (client, metadata, deadline, callback) => {
    client.status({}, metadata, deadline, callback);
  });
}

export function askStateHash(
  address: string,
  atIndex: number,
  options: AskOptions,
  deep = false,
): Promise<StateHashResponse> {
  return ask(address, options, (client, metadata, deadline, callback) => {
    client.stateHash({ atIndex, deep }, metadata, deadline, callback);
  });
}

/** The first answer in the order of the addresses' speed; rejects when none answers. */
export async function askAnyStatus(
  addresses: readonly string[],
  options: AskOptions,
): Promise<StatusResponse> {
  try {
    return await Promise.any(addresses.map((address) => askStatus(address, options)));
  } catch (error) {
    const first = error instanceof AggregateError ? error.errors[0] : error;
    throw first instanceof Error ? first : new Error(String(first));
  }
}
