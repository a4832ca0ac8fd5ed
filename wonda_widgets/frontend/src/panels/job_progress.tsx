// `JobProgress`.

import { AlertBox } from "../ui/alert";
import { JobView } from "../ui/job";

export function JobProgress() {
  return (
    <>
      <JobView />
      <AlertBox />
    </>
  );
}
