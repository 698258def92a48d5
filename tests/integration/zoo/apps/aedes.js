(async () => {
  const { Aedes } = await import('aedes');
  const aedes = await Aedes.createBroker();
  require('net').createServer(aedes.handle).listen(+process.env.PORT, () => console.log('broker listens'));
})();
