"""The programs of the zoo: a package, the command that its documents give, and how it is asked. The packages and their
versions stand in short/package.json (an ordinary run), long/package.json (`--long`)."""

from dataclasses import dataclass

from . import visits


@dataclass(frozen=True)
class Program:
    name: str
    command: str  # @PORT@ is put in
    package: str = ""  # whose version the table tells; default: the name
    way: type = visits.Http
    path: str = "/"
    env: tuple = ()  # of (name, value)
    stays: str = ""  # the line that says that it has to stay one process
    because: str = ""  # why, for the table
    group: str = "short"  # whose packages it needs


PROGRAMS = [
    Program("verdaccio", "node_modules/.bin/verdaccio --config verdaccio.yaml --listen @PORT@", path="/-/ping"),
    Program("json-server", "node_modules/.bin/json-server --port @PORT@ db.json", path="/posts"),
    Program("http-server", "node_modules/.bin/http-server public -p @PORT@", path="/hello.txt"),
    Program("serve", "node_modules/.bin/serve -l @PORT@ public", path="/hello.txt",
            env=(("NO_UPDATE_CHECK", "1"),), stays=r"it has to stay one process \(NODEINIT_MODE=single\)",
            because="it takes another port when its own is busy"),
    Program("peerjs", "node_modules/.bin/peerjs --port @PORT@", "peer"),
    Program("fastify-cli", "node_modules/.bin/fastify start -p @PORT@ fastify.js"),
    Program("ws", "node ws.js", way=visits.WebSocket),
    Program("aedes", "node aedes.js", way=visits.Mqtt),
    Program("grpc-js", "node grpc.js", "@grpc/grpc-js", visits.Grpc, "/Greeter/Hello"),
    Program("socket.io", "node socketio.js", path="/socket.io/?EIO=4&transport=polling"),
    Program("GraphQL Yoga", "node yoga.js", "graphql-yoga", path="/graphql"),
    Program("Apollo standalone", "node apollo.mjs", "@apollo/server", path="/graphql"),
    Program("micro", "node_modules/.bin/micro -l tcp://0.0.0.0:@PORT@ micro.js"),
    Program("NestJS", "node nest.js", "@nestjs/core"),
    Program("Express", "npm start", "express"),
    Program("Koa", "node koa.js", "koa", group="long"),
    Program("hapi", "node hapi.js", "@hapi/hapi", group="long"),
    Program("Hono", "node hono.mjs", "@hono/node-server", group="long"),
    Program("Polka", "node polka.js", "polka", group="long"),
    Program("Feathers", "node feathers.mjs", "@feathersjs/koa", path="/messages", group="long"),
    Program("Moleculer", "node moleculer.js", "moleculer-web", path="/greeter/hello", group="long"),
    Program("tRPC standalone", "node trpc.mjs", "@trpc/server", path="/hello", group="long"),
    Program("SockJS", "node sockjs.js", "sockjs", path="/echo/info", group="long"),
    Program("cors-anywhere", "node cors.js", group="long"),
]  # fmt: skip
