'use strict';
const express = require('express');
const { who, slow } = require('./work');
const app = express();
app.get('/api/who', (request, response) => response.json(who()));
app.get('/api/slow', async (request, response) => response.json(await slow()));
app.listen(process.env.PORT);
