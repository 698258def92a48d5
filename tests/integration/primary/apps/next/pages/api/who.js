import work from '../../work';

export default function who(request, response) {
  response.json(work.who());
}
