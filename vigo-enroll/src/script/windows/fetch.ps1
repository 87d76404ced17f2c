# What checks the server's key and the agent's signature.
function New-KeyCheck {
  if (-not ('@TYPE@' -as [type])) {
    # PowerShell 7 refers to all of .NET by itself.
    $more = if ($isDesktop) { @{ ReferencedAssemblies = 'System.Numerics' } } else { @{} }
    Add-Type @more -TypeDefinition @'
@SOURCE@
'@
  }
  New-Object -TypeName '@TYPE@' -ArgumentList $carried.LeafPin
}

function Get-Causes([Exception]$Exception) {
  while ($Exception) {
    $Exception
    $Exception = $Exception.InnerException
  }
}

# Says why nothing came.
function Stop-Unreachable($Check, [Exception]$Exception) {
  $causes = @(Get-Causes $Exception)
  $address = $carried.ApiAddr
  if ($isPinned -and $Check.Found -and -not $Check.Passed) {
    Write-Said "pin_mismatch: what answers at $address does not have the key that this script carries"
    Stop-Run 4 "expected $($carried.LeafPin), found $($Check.Found)" 'nothing was sent and nothing was changed'
  }
  $untrusted = $causes | Where-Object {
    $_ -is [Security.Authentication.AuthenticationException] -or
    ($_ -is [Net.WebException] -and $_.Status -eq [Net.WebExceptionStatus]::TrustFailure)
  }
  if ($untrusted) {
    Stop-Run 4 "pin_mismatch: the certificate at $address is not one that this system trusts" `
      'nothing was sent and nothing was changed'
  }
  Stop-Run 6 "server_unreachable: nothing could be fetched from ${address}: $($causes[-1].Message)" `
    'can this host reach it, and is it the server that gave this script? Nothing was changed'
}

# The check as the callback of this type. By its name alone the method would fit one signature, and not the narrower one.
function Get-Callback([type]$Kind, $Check) {
  [Delegate]::CreateDelegate($Kind, $Check, $Check.GetType().GetMethod('Check'))
}

# Windows PowerShell: a request whose own callback stands above the session's.
function Open-WithWebRequest([string]$Url, [string]$Accept, $Check) {
  $request = [Net.WebRequest]::Create([Uri]$Url)
  $request.AllowAutoRedirect = $false
  $request.Timeout = 60000
  $request.ReadWriteTimeout = 60000
  $request.Accept = $Accept
  # A connection that was made while every certificate was accepted is not used again.
  $request.ConnectionGroupName = [Guid]::NewGuid().ToString()
  $request.KeepAlive = $false
  if ($isPinned) {
    $request.ServerCertificateValidationCallback = Get-Callback ([Net.Security.RemoteCertificateValidationCallback]) $Check
  }
  try {
    $response = $request.GetResponse()
  } catch {
    # A status that tells of a failure is an answer too.
    $answers = @(Get-Causes $_.Exception | Where-Object { $_ -is [Net.WebException] -and $_.Response })
    if (-not $answers) { throw }
    $response = $answers[0].Response
  }
  @{ Status = [int]$response.StatusCode; Stream = $response.GetResponseStream(); Owners = @($response) }
}

# PowerShell 7: a handler of our own.
function Open-WithHttpClient([string]$Url, [string]$Accept, $Check) {
  $handler = New-Object -TypeName Net.Http.HttpClientHandler
  $handler.AllowAutoRedirect = $false
  # Older ones do not know TLS 1.3.
  $knowsTls13 = [Environment]::OSVersion.Version.Build -ge 20348
  $handler.SslProtocols = if ($knowsTls13) { 'Tls12, Tls13' } else { 'Tls12' }
  if ($isPinned) {
    $kind = [Func[Net.Http.HttpRequestMessage, Security.Cryptography.X509Certificates.X509Certificate2, Security.Cryptography.X509Certificates.X509Chain, Net.Security.SslPolicyErrors, bool]]
    $handler.ServerCertificateCustomValidationCallback = Get-Callback $kind $Check
  }
  $client = New-Object -TypeName Net.Http.HttpClient -ArgumentList $handler
  $client.Timeout = [TimeSpan]::FromSeconds(60)
  $client.DefaultRequestHeaders.Add('Accept', $Accept)
  $head = [Net.Http.HttpCompletionOption]::ResponseHeadersRead
  try {
    $response = $client.GetAsync($Url, $head).GetAwaiter().GetResult()
    $stream = $response.Content.ReadAsStreamAsync().GetAwaiter().GetResult()
  } catch {
    $client.Dispose()
    throw
  }
  @{ Status = [int]$response.StatusCode; Stream = $stream; Owners = @($response, $client) }
}

# One GET into a new file, at most $Max bytes of it; gives the status. No redirect is followed.
function Receive-File([string]$Path, [string]$To, [long]$Max, [string]$Accept) {
  $url = $carried.ApiAddr + $Path
  $check = New-KeyCheck
  $clock = [Diagnostics.Stopwatch]::StartNew()
  try {
    $answer = if ($isDesktop) { Open-WithWebRequest $url $Accept $check } else { Open-WithHttpClient $url $Accept $check }
  } catch {
    Stop-Unreachable $check $_.Exception
  }
  try {
    if ($isPinned -and -not $check.Passed) {
      Stop-Run 4 "pin_mismatch: nothing at $($carried.ApiAddr) showed the key that this script carries" `
        'what it sent was not read'
    }
    $file = [IO.File]::Open($To, 'CreateNew', 'Write', 'None')
    try {
      $chunk = New-Object -TypeName byte[] -ArgumentList 65536
      [long]$total = 0
      while ($true) {
        try {
          $reading = $answer.Stream.ReadAsync($chunk, 0, $chunk.Length)
          if (-not $reading.Wait(60000)) { throw 'it went silent' }
          $count = $reading.Result
          if ($clock.Elapsed.TotalMinutes -gt 15) { throw 'it is too slow' }
        } catch {
          Stop-Unreachable $check $_.Exception
        }
        if ($count -le 0) { break }
        $total += $count
        if ($total -gt $Max) {
          Stop-Run 1 "too_large: $url gives more than the $Max bytes that there can be" 'nothing was changed'
        }
        $file.Write($chunk, 0, $count)
      }
    } finally {
      $file.Dispose()
    }
  } finally {
    $answer.Stream.Dispose()
    foreach ($owner in $answer.Owners) { $owner.Dispose() }
  }
  $answer.Status
}
