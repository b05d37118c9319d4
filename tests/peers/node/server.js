// SPDX-License-Identifier: LGPL-2.1-or-later
// A node-opcua server for tests: server.js SETTINGS. Says {"address": …}, and tells rows when its input asks for them.
"use strict";
const opcua = require("node-opcua");
const fs = require("fs");
const readline = require("readline");

const settings = JSON.parse(process.argv[2]);
const say = (said) => process.stdout.write(JSON.stringify(said) + "\n");
const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

async function certificates() {
  const manager = new opcua.OPCUACertificateManager({
    rootFolder: settings.folder,
    automaticallyAcceptUnknownCertificate: false,
  });
  await manager.initialize();
  const text = fs.readFileSync(settings.trusted, "latin1").replace(/-----[^-]+-----|\s/g, "");
  await manager.trustCertificate(Buffer.from(text, "base64"));
  return manager;
}

async function main() {
  const server = new opcua.OPCUAServer({
    port: settings.port,
    hostname: "127.0.0.1",
    resourcePath: "/node",
    nodeset_filename: [opcua.nodesets.standard],
    serverCertificateManager: await certificates(),
    certificateFile: settings.certificate,
    privateKeyFile: settings.key,
    securityPolicies: [opcua.SecurityPolicy.None, opcua.SecurityPolicy.Basic256Sha256],
    securityModes: [opcua.MessageSecurityMode.None, opcua.MessageSecurityMode.SignAndEncrypt],
    allowAnonymous: true,
    userManager: { isValidUser: (user, password) => user === "operator" && password === "secret" },
    serverInfo: { applicationUri: "urn:test:node" },
    serverCapabilities: { minSupportedSampleRate: 0 },
  });
  await server.initialize();
  const space = server.engine.addressSpace.getOwnNamespace();
  const mill = space.addObject({ organizedBy: server.engine.addressSpace.rootFolder.objects, browseName: "Mill" });
  const variable = (name, more) =>
    space.addVariable({ componentOf: mill, nodeId: `s=${name}`, browseName: name, dataType: "Double", ...more });
  variable("secret", { accessLevel: "CurrentWrite", userAccessLevel: "CurrentWrite" });
  // One that the server looks at now and then, and those of which it tells every change.
  const variables = [variable("slow", { minimumSamplingInterval: 100 })];
  for (let number = 0; number < 20; number++) {
    variables.push(variable(`v${number}`, { minimumSamplingInterval: 0 }));
  }
  await server.start();
  say({ address: `opc.tcp://127.0.0.1:${server.endpoints[0].port}/node` });

  for await (const line of readline.createInterface({ input: process.stdin })) {
    const { rows, rate } = JSON.parse(line);
    const began = Date.now();
    for (let told = 0; told < rows; ) {
      const due = Math.min(rows, Math.floor(((Date.now() - began) * rate) / 1000) + 1);
      for (; told < due; told++) {
        const moment = new Date(began + (told * 1000) / rate);
        for (const each of variables) {
          each.setValueFromSource({ dataType: "Double", value: told }, opcua.StatusCodes.Good, moment);
        }
      }
      await pause(1);
    }
    say({ rows });
  }
  await server.shutdown();
}

main().catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
