export default function Page() {
  return <p>rendered</p>;
}
