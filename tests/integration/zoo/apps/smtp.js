const { SMTPServer } = require('smtp-server');
new SMTPServer({ name: 'zoo', authOptional: true }).listen(+process.env.PORT, () => console.log('smtp listens'));
