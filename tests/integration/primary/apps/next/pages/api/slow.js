import work from '../../work';

export default async function slow(request, response) {
  response.json(await work.slow());
}
