require('cors-anywhere').createServer().listen(+process.env.PORT, '0.0.0.0', () => console.log('cors listens'));
