require('polka')().get('/', (_, answer) => answer.end('hello')).listen(+process.env.PORT, () => console.log('polka listens'));
