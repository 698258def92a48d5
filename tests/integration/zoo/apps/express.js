require('express')().get('/', (_, answer) => answer.send('hello')).listen(+process.env.PORT, () => console.log('listens'));
