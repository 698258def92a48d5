'use strict';
const socket = require('dgram').createSocket('udp4');
const { who } = require('./work');
socket.on('message', (_, from) => socket.send(JSON.stringify(who()), from.port, from.address));
socket.bind(process.env.PORT);
